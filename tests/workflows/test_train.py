"""A run folder's rules: what begins a run, what goes on with it."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.config import RunConfig
from mgtl_tf.errors import UserError
from mgtl_tf.training import checkpoint
from mgtl_tf.training.loop import TrainingLoop
from mgtl_tf.workflows import order
from mgtl_tf.workflows.evaluate import on_data
from mgtl_tf.workflows.train import train

SMALL = RunConfig().replace(
    image_size=(8, 16),
    width_multiplier=1 / 64,
    poolings=1,
    channels=4,
    heads=2,
    recurrent_steps=1,
    batch_size=2,
    epochs=1,
    cache="none",
    backbone_weights="none",
)


def world(root, count):
    """A folder in CVUSA's layout: so many training pairs, no validation."""
    noise = np.random.default_rng(0)
    rows = []
    for i in range(1, count + 1):
        aerial, ground = f"bingmap/19/{i}.png", f"streetview/{i}.png"
        for name, size in ((aerial, (16, 16)), (ground, (8, 16))):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = noise.integers(0, 256, (*size, 3), np.uint8)
            cv2.imwrite(str(path), pixels)
        rows.append(f"{aerial},{ground}")
    (root / "splits").mkdir()
    (root / "splits/train-19zl.csv").write_text("\n".join(rows))
    (root / "splits/val-19zl.csv").write_text("")
    return root


def test_a_run_that_saved_nothing_takes_another_config(tmp_path):
    run_dir = tmp_path / "run"
    config = SMALL.replace(data_dir=str(world(tmp_path / "world", 4)))
    with pytest.raises(UserError, match="--backbone_weights=none"):
        train(config.replace(backbone_weights="no.h5"), run_dir)
    # The remedy works; without validation pairs there is a report as well.
    assert train(config, run_dir)
    assert RunConfig.load(run_dir) == config
    assert (run_dir / "report/report.html").is_file()
    with pytest.raises(UserError, match="gamma: 10.0 -> 5.0"):
        train(config.replace(gamma=5.0), run_dir)
    # Moved data is the same data; other pairs are not.
    (tmp_path / "world").rename(tmp_path / "moved")
    assert train(config.replace(data_dir=str(tmp_path / "moved")), run_dir)
    other = world(tmp_path / "other", 3)
    with pytest.raises(UserError, match="not those that the run was begun"):
        train(config.replace(data_dir=str(other)), run_dir)


def test_diverged_weights_are_told_where_places_are_mined(
    tmp_path, monkeypatch
):
    config = SMALL.replace(
        data_dir=str(world(tmp_path / "world", 4)), mining_start=0
    )

    def diverged(model, batches, progress):
        return np.full((4, 3), np.nan), np.ones((4, 3))

    monkeypatch.setattr(order.evaluation, "embed", diverged)
    with pytest.raises(UserError, match="the weights diverged"):
        train(config, tmp_path / "run")


def test_exhausted_memory_names_the_flag(tmp_path, monkeypatch):
    def exhausted(self, progress):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    monkeypatch.setattr(TrainingLoop, "run", exhausted)
    config = SMALL.replace(data_dir=str(world(tmp_path / "world", 4)))
    with pytest.raises(UserError, match="--batch_size=2: more memory"):
        train(config, tmp_path / "run")
    assert not checkpoint.has_checkpoint(tmp_path / "run")


def test_other_data_is_read_as_that_data_set_is():
    config = on_data(RunConfig(), "cvact", "there")
    assert config.data.ground_crop == (0.25, 0.75)
    assert config.data.data_dir == "there"
    own = RunConfig().replace(ground_crop=(0.1, 0.9), data_dir="here")
    assert on_data(own, "cvusa", None) == own


def weights(run_dir):
    path = max((run_dir / "checkpoints").glob("last-*")) / "weights.npz"
    with np.load(path, allow_pickle=False) as file:
        return [file[name] for name in file.files]


def test_dropout_and_jitter_go_on_where_they_were(tmp_path, monkeypatch):
    """The random states of layers are part of a checkpoint, as weights are."""
    config = SMALL.replace(
        data_dir=str(world(tmp_path / "world", 5)),
        epochs=3,
        recurrent_steps=0,
        backbone_dropout=0.5,
        roll_and_mirror=True,
        color_jitter=0.3,
        learning_rate=1e-2,
    )
    assert train(config, tmp_path / "whole")
    asked = iter([False] * 5 + [True])
    with monkeypatch.context() as patch:
        patch.setattr(
            "mgtl_tf.training.stops.StopSignals.requested",
            lambda self: next(asked),
        )
        assert not train(config, tmp_path / "parts")
    assert train(config, tmp_path / "parts")
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
