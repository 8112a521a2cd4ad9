"""Checkpoints: whole or absent, restored exactly, refused when foreign."""

import contextlib
import functools
import json
import os
import shutil

import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.config import RunConfig, TrainConfig
from mgtl_tf.training.checkpoint import Checkpoints, Progress, load_model
from mgtl_tf.training.folder_names import found, new_folder
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.sealed import seal
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
    optimizer = make_optimizer(TrainConfig())
    optimizer.build(model.trainable_variables)
    return model, optimizer


def _checkpoints(run_dir, seed=0, config=TINY, keep=2):
    return Checkpoints(run_dir, *_built(seed, config), keep)


def _names(run_dir):
    return sorted(p.name for p in (run_dir / "checkpoints").iterdir())


def _seal_again(folder):
    (folder / "checksums.json").unlink()
    seal(folder)


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


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_only_the_newest_of_each_kind_are_kept(tmp_path, keep):
    checkpoints = _checkpoints(tmp_path, keep=keep)
    for step in (1, 2, 9, 10):
        checkpoints.save_last(Progress(step))
        checkpoints.save_best(Progress(step))
    kept = ["last-00000002", "last-00000009", "last-00000010"][-keep:]
    assert _names(tmp_path) == ["best-00000010", *kept]


def test_a_step_saved_twice_counts_once(tmp_path):
    checkpoints = _checkpoints(tmp_path, keep=2)
    checkpoints.save_last(Progress(3))
    for epoch in range(2):
        checkpoints.save_last(Progress(4, epoch))
    assert _names(tmp_path) == ["last-00000003", "last-00000004.1"]
    assert checkpoints.restore_last().epoch == 1


def test_folders_are_ordered_by_numbers(tmp_path):
    made = []
    for step in (99_999_999, *[100_000_000] * 12):
        made.append(new_folder(tmp_path, "last", step))
        made[-1].mkdir()
    (tmp_path / "last-notes.txt").touch()
    assert found(tmp_path, "last") == made
    assert len(set(made)) == 13


def test_unfinished_folders_are_not_taken_for_checkpoints(tmp_path):
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save_last(Progress(3))
    (tmp_path / "checkpoints" / ".last-00000009.tmp").mkdir()
    assert checkpoints.restore_last().step == 3


def test_what_a_kill_left_is_swept_away(tmp_path, monkeypatch):
    checkpoints = _checkpoints(tmp_path, keep=1)
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


# An error would be a file that is left open.
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("content", [b"", b"broken", b"PK\x03\x04 cut"])
def test_unreadable_weights_are_named(tmp_path, content):
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save_last(Progress(1))
    path = tmp_path / "checkpoints" / "last-00000001" / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"weights\.npz: has \d bytes, not"):
        checkpoints.restore_last()
    # Nor may it pass where the checksums agree.
    _seal_again(path.parent)
    with pytest.raises(UserError, match=r"weights\.npz: damaged"):
        checkpoints.restore_last()


def test_no_pickles(tmp_path):
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save_last(Progress(1))
    path = tmp_path / "checkpoints" / "last-00000001" / "weights.npz"
    np.savez(path, **{"00000 a": np.array([{}], dtype=object)})
    _seal_again(path.parent)
    with pytest.raises(UserError, match="holds no numbers"):
        checkpoints.restore_last()


@pytest.mark.parametrize("killed_at", [1, 2, 3, 4])
@pytest.mark.parametrize("keep", [1, 2])
def test_a_kill_at_any_rename_leaves_a_last(
    tmp_path, monkeypatch, keep, killed_at
):
    checkpoints = _checkpoints(tmp_path, keep=keep)
    checkpoints.save_last(Progress(1))
    renames, replace = [], os.replace

    def killed(*names):
        renames.append(names)
        if len(renames) == killed_at:
            raise KeyboardInterrupt
        replace(*names)

    monkeypatch.setattr(os, "replace", killed)
    # Twice the same step as well: nothing is ever replaced.
    with contextlib.suppress(KeyboardInterrupt):
        for step in (2, 2, 3, 4):
            checkpoints.save_last(Progress(step))
    assert len(renames) == killed_at
    assert checkpoints.restore_last().step >= 1


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
    state = tmp_path / "checkpoints" / "last-00000001" / "state.json"
    assert json.loads(state.read_text())["step"] == 1
