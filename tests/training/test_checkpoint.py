"""Checkpoints: whole or absent, restored exactly, refused when foreign."""

import json
import shutil

import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.config import RunConfig
from mgtl_tf.config import TrainConfig
from mgtl_tf.errors import UserError
from mgtl_tf.training.checkpoint import Checkpoints
from mgtl_tf.training.checkpoint import Progress
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.training.optimizers import make_optimizer

TINY = mgtl_tf.ModelConfig(
    image_size=(8, 16),
    width_multiplier=1 / 64,
    poolings=1,
    channels=4,
    heads=2,
    recurrent_steps=1,
    backbone_normalization="batch",
)


def _checkpoints(run_dir, seed=0, config=TINY):
    keras.utils.set_random_seed(seed)
    model = mgtl_tf.build_model(config)
    optimizer = make_optimizer(TrainConfig())
    optimizer.build(model.trainable_variables)
    return Checkpoints(run_dir, model, optimizer)


def _names(run_dir):
    return sorted(p.name for p in (run_dir / "checkpoints").iterdir())


def test_restores_every_variable_and_the_progress(tmp_path):
    saved = _checkpoints(tmp_path)
    gradients = [np.ones(v.shape) for v in saved.model.trainable_variables]
    saved.optimizer.apply(gradients)
    progress = Progress(7, 2, 1, 0.5, 12.5, "ab", np.arange(6).reshape(2, 3))
    saved.save_last(progress)
    again = _checkpoints(tmp_path, seed=1)
    restored = again.restore_last()
    np.testing.assert_array_equal(restored.neighbours, progress.neighbours)
    restored.neighbours = progress.neighbours = None
    assert restored == progress
    for name in ("model", "optimizer"):
        for a, b in zip(
            getattr(saved, name).variables,
            getattr(again, name).variables,
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)


def test_nothing_to_restore(tmp_path):
    assert _checkpoints(tmp_path).restore_last() is None


def test_only_the_newest_of_each_kind_is_kept(tmp_path):
    checkpoints = _checkpoints(tmp_path)
    for step in (1, 2, 10):
        checkpoints.save_last(Progress(step))
        checkpoints.save_best(Progress(step))
    assert _names(tmp_path) == ["best-00000010", "last-00000010"]


def test_unfinished_folders_are_not_taken_for_checkpoints(tmp_path):
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save_last(Progress(3))
    (tmp_path / "checkpoints" / ".last-00000009.tmp").mkdir()
    assert checkpoints.restore_last().step == 3


def test_what_a_kill_left_is_swept_away(tmp_path, monkeypatch):
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save_last(Progress(3))
    (tmp_path / "checkpoints" / ".last-00000002.tmp").mkdir()

    remove = shutil.rmtree

    def killed(folder, **options):
        if folder.name.endswith(".old"):
            raise KeyboardInterrupt
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save_last(Progress(4))
    monkeypatch.undo()
    # Half removed, the older one has no longer a name that is read.
    assert _names(tmp_path)[-1] == "last-00000004"
    assert "last-00000003" not in _names(tmp_path)
    assert checkpoints.restore_last().step == 4
    checkpoints.save_last(Progress(5))
    assert _names(tmp_path) == ["last-00000005"]


def test_failed_write_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save_last(Progress(3))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(UserError, match="No space left on device") as error:
        checkpoints.save_last(Progress(4))
    assert "last-00000004" in str(error.value)
    monkeypatch.undo()
    assert _names(tmp_path) == ["last-00000003"]
    assert checkpoints.restore_last().step == 3


def test_checkpoint_of_another_config_is_refused(tmp_path):
    _checkpoints(tmp_path).save_last(Progress(1))
    other = mgtl_tf.ModelConfig(**{**vars(TINY), "recurrent_steps": 2})
    with pytest.raises(UserError, match="another config"):
        _checkpoints(tmp_path, config=other).restore_last()


@pytest.mark.parametrize("content", [b"", b"broken", b"PK\x03\x04 cut"])
def test_unreadable_weights_are_named(tmp_path, content):
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save_last(Progress(1))
    path = tmp_path / "checkpoints" / "last-00000001" / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"weights\.npz: unreadable"):
        checkpoints.restore_last()


def test_no_pickles(tmp_path):
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save_last(Progress(1))
    path = tmp_path / "checkpoints" / "last-00000001" / "weights.npz"
    np.savez(path, **{"00000 a": np.array([{}], dtype=object)})
    with pytest.raises(UserError):
        checkpoints.restore_last()


def test_load_model(tmp_path):
    with pytest.raises(UserError, match="config.json"):
        load_model(tmp_path)
    config = RunConfig(model=TINY)
    (tmp_path / "config.json").write_text(config.to_json())
    with pytest.raises(UserError, match="holds no checkpoint yet"):
        load_model(tmp_path)
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save_last(Progress(1))
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 16, 3))
    expected = checkpoints.model.encode_ground(images)
    loaded, model = load_model(tmp_path)
    assert loaded == config
    np.testing.assert_array_equal(model.encode_ground(images), expected)
    state = tmp_path / "checkpoints" / "last-00000001" / "state.json"
    assert json.loads(state.read_text())["step"] == 1
