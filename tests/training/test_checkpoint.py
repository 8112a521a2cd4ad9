"""Checkpoints: whole or absent, restored exactly, refused when foreign."""

import functools
import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import mgtl_tf
from mgtl_tf.config import RunConfig, TrainConfig
from mgtl_tf.training import checkpoint
from mgtl_tf.training.checkpoint import Checkpoints, Progress, load_model
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.utils.errors import UserError

TINY = mgtl_tf.ModelConfig(
    image_size=(8, 16),
    width_multiplier=1 / 64,
    poolings=1,
    channels=4,
    heads=2,
    recurrent_steps=1,
    backbone_normalization="batch",
)


@functools.cache
def _built(seed, config):
    """What is saved and restored: no test needs certain values in it."""
    keras.utils.set_random_seed(seed)
    model = mgtl_tf.build_model(config)
    optimizer = make_optimizer(TrainConfig(), model.trainable_variables)
    return model, optimizer


def _checkpoints(run_dir, seed=0, config=TINY, keep=2):
    return Checkpoints(run_dir, *_built(seed, config), keep)


def _steps(run_dir, kind):
    """Of the checkpoints as TensorFlow's manager lists them, oldest first."""
    folder = run_dir / "checkpoints" / kind
    state = tf.train.get_checkpoint_state(str(folder))
    found = []
    for path in state.all_model_checkpoint_paths:
        manifest = json.loads(Path(f"{path}.json").read_text())
        found.append(manifest["progress"]["step"])
    names = {p.name.split(".")[0] for p in folder.iterdir()}
    assert len(names - {"checkpoint"}) == len(found)
    return found


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


def test_tensorflow_reads_them_by_the_variables_paths(tmp_path):
    saved = _checkpoints(tmp_path)
    saved.save_last(Progress(7))
    path = tf.train.latest_checkpoint(str(tmp_path / "checkpoints/last"))
    reader = tf.train.load_checkpoint(path)
    assert reader.has_tensor("optimizer/iteration/.ATTRIBUTES/VARIABLE_VALUE")
    names = reader.get_variable_to_shape_map()
    assert sum(n.startswith("model/") for n in names) == len(
        saved.model.variables
    )
    (name,) = [n for n in names if n.startswith("model/features.Scompact.Sk")]
    (kernel,) = [
        v for v in saved.model.variables if v.path.endswith("compact/kernel")
    ]
    np.testing.assert_array_equal(reader.get_tensor(name), kernel)


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_are_kept(tmp_path, keep):
    checkpoints = _checkpoints(tmp_path, keep=keep)
    for step in (1, 2, 9, 10):
        checkpoints.save_last(Progress(step))
        checkpoints.save_best(Progress(step))
    assert _steps(tmp_path, "last") == [2, 9, 10][-keep:]
    assert _steps(tmp_path, "best") == [10]


def test_a_step_may_be_saved_twice(tmp_path):
    checkpoints = _checkpoints(tmp_path, keep=2)
    for epoch in range(2):
        checkpoints.save_last(Progress(4, epoch))
    assert checkpoints.restore_last().epoch == 1


def test_more_than_ten_are_ordered_by_number(tmp_path):
    checkpoints = _checkpoints(tmp_path, keep=2)
    for step in range(1, 13):
        checkpoints.save_last(Progress(step))
    assert checkpoints.restore_last().step == 12


def test_unfinished_ones_are_no_checkpoints(tmp_path, caplog):
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save_last(Progress(3))
    folder = tmp_path / "checkpoints/last"
    (folder / "ckpt-2_temp").mkdir()
    (folder / "ckpt-2.index").write_bytes(b"part")
    assert checkpoints.restore_last().step == 3
    assert not caplog.records
    checkpoints.save_last(Progress(4))
    assert _steps(tmp_path, "last") == [3, 4]


@pytest.mark.parametrize("keep", [1, 2])
@pytest.mark.parametrize(
    "name", ["_record", "_write_manifest", "atomic_write", "_remove", "sync"]
)
def test_a_kill_at_any_moment_leaves_a_last(tmp_path, monkeypatch, keep, name):
    checkpoints = _checkpoints(tmp_path, keep=keep)
    for step in (1, 2):
        checkpoints.save_last(Progress(step))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, name, killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save_last(Progress(3))
    assert checkpoints.restore_last().step in (2, 3)
    checkpoints.save_last(Progress(4))
    assert _steps(tmp_path, "last")[-1] == 4
    assert len(_steps(tmp_path, "last")) <= keep


def test_a_kill_before_the_manager_removes_one_leaves_the_newest(
    tmp_path, monkeypatch
):
    checkpoints = _checkpoints(tmp_path, keep=1)
    checkpoints.save_last(Progress(1))
    sweep = tf.train.CheckpointManager._sweep

    def killed(self):
        sweep(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.CheckpointManager, "_sweep", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save_last(Progress(2))
    assert checkpoints.restore_last().step == 2


def test_any_folder_name(tmp_path):
    run_dir = tmp_path / "r[1] *?\xfc"
    checkpoints = _checkpoints(run_dir, keep=1)
    for step in (1, 2):
        checkpoints.save_last(Progress(step))
    names = [p.name for p in (run_dir / "checkpoints/last").iterdir()]
    assert sorted(names) == [
        "checkpoint",
        "ckpt-2.data-00000-of-00001",
        "ckpt-2.index",
        "ckpt-2.json",
    ]
    assert checkpoints.restore_last().step == 2


def test_checkpoint_of_another_config_is_refused(tmp_path):
    _checkpoints(tmp_path).save_last(Progress(1))
    other = mgtl_tf.ModelConfig(**{**vars(TINY), "recurrent_steps": 2})
    with pytest.raises(UserError, match="another config"):
        _checkpoints(tmp_path, config=other).restore_last()


def test_unreadable_ones_are_damaged_where_checksums_agree(tmp_path):
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save_last(Progress(1))
    path = tmp_path / "checkpoints/last/ckpt-1"
    for suffix in (".index", ".data-00000-of-00001"):
        file = Path(f"{path}{suffix}")
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        checkpoint._write_manifest(path, Progress(1))
        with pytest.raises(UserError, match="ckpt-1: cannot be read"):
            checkpoints.restore_last()
        file.write_bytes(whole)


def test_what_differs_is_named_with_its_shape(tmp_path):
    _checkpoints(tmp_path).save_last(Progress(1))
    wider = mgtl_tf.ModelConfig(**{**vars(TINY), "channels": 6})
    with pytest.raises(UserError) as error:
        _checkpoints(tmp_path, config=wider).restore_last()
    said = str(error.value)
    assert re.search(r"only in the model: model/\S+ \([\d, ]*6", said)
    assert re.search(r"only in the file: model/\S+ \([\d, ]*4", said)
    assert said.count("model/") <= 6 and "\n" not in said


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
    np.testing.assert_allclose(model.encode_ground(images), expected, atol=1e-6)
