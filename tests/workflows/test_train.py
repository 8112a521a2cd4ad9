"""A run folder's rules: what begins a run, what goes on with it."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.config import RunConfig
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.training import checkpoint
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.training.loop import TrainingLoop
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows import order
from mgtl_tf.workflows.evaluate import on_data
from mgtl_tf.workflows.train import train
from tests.tiny_runs import TINY

SAME = dict.fromkeys(("r@1", "r@5", "r@10", "r@1%"), 0.5)
SMALL = TINY.replace(
    recurrent_steps=1,
    batch_size=2,
    epochs=1,
    cache="none",
)


def world(root, count, validation=0):
    """A folder in CVUSA's layout; the first training pairs validate as well."""
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
    (root / "splits/val-19zl.csv").write_text("\n".join(rows[:validation]))
    return root


def test_a_run_that_saved_nothing_takes_another_config(tmp_path):
    run_dir = tmp_path / "run"
    config = SMALL.replace(data_dir=str(world(tmp_path / "world", 4)))
    with pytest.raises(UserError, match="backbone_weights=none"):
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
    path = tf.train.latest_checkpoint(str(run_dir / "checkpoints/last"))
    reader = tf.train.load_checkpoint(path)
    names = sorted(reader.get_variable_to_shape_map())
    return [reader.get_tensor(n) for n in names if n.startswith("model/")]


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
            "mgtl_tf.training.signals.StopSignals.requested",
            lambda self: next(asked),
        )
        assert not train(config, tmp_path / "parts")
    assert train(config, tmp_path / "parts")
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("validation", [0, 3])
def test_best_holds_the_averages_and_last_the_weights(
    tmp_path, monkeypatch, validation
):
    """Also where there is nothing to evaluate on, for export needs them."""
    config = SMALL.replace(
        data_dir=str(world(tmp_path / "world", 4, validation)),
        epochs=2,
        recurrent_steps=0,
        ema_momentum=0.15,
        learning_rate=1e-2,
    )
    steps = []
    update = TrainStep.__call__

    def remembered(self, *arguments):
        scalars = update(self, *arguments)
        steps.append([w.numpy() for w in self.model.trainable_variables])
        return scalars

    monkeypatch.setattr(TrainStep, "__call__", remembered)
    # Of equally good evaluations the last is kept.
    monkeypatch.setattr(evaluation.metrics, "recall", lambda *_, **__: SAME)
    assert train(config, tmp_path / "run")
    averages = steps[0]
    for weights in steps[1:]:
        pairs = zip(averages, weights, strict=True)
        averages = [0.15 * a + 0.85 * w for a, w in pairs]
    for which, expected in (("best", averages), ("last", steps[-1])):
        _, model = checkpoint.load_model(tmp_path / "run", which)
        for a, b in zip(model.trainable_variables, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def _pictures(run_dir):
    """Step to number of pictures in TensorBoard's file."""
    found = {}
    for path in (run_dir / "tensorboard").glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.tag == "retrieval":
                    # Width and height come before the pictures.
                    found[event.step] = len(value.tensor.string_val) - 2
    return found


def test_a_whole_other_recipe(tmp_path):
    """InfoNCE, AdamW, cosine, averages, clipping, a profile: to the report."""
    config = SMALL.replace(
        data_dir=str(world(tmp_path / "world", 12, validation=3)),
        loss="info_nce",
        optimizer="adamw",
        schedule="cosine",
        warmup=0.2,
        clip_norm=1.0,
        ema_momentum=0.9,
        profile_steps=2,
        retrieval_pictures=2,
        log_every=1,
    )
    run_dir = tmp_path / "run"
    assert train(config, run_dir)
    assert (run_dir / "report/report.html").is_file()
    assert list(run_dir.glob("tensorboard/plugins/profile/*/*.xplane.pb"))
    training = [r for r in read_metrics(run_dir) if r["kind"] == "train"]
    assert len(training) == 6
    assert all(np.isfinite(r["info_nce_loss"]) for r in training)
    # Two queries over their three answers, at the end of the one epoch.
    assert _pictures(run_dir) == {6: 2}


def test_a_second_training_of_a_run_folder_is_refused(tmp_path, monkeypatch):
    """It changes nothing; who reads the run meanwhile may."""
    run_dir = tmp_path / "run"
    data = str(world(tmp_path / "world", 4, validation=2))
    config = SMALL.replace(data_dir=data, checkpoint_steps=1)
    save, refused, read = checkpoint.Checkpoints.save_last, [], []

    def then(self, progress):
        save(self, progress)
        if not refused:
            before = sorted(run_dir.rglob("*"))
            with pytest.raises(UserError) as error:
                train(config, run_dir)
            refused.append(str(error.value))
            assert sorted(run_dir.rglob("*")) == before
            read.append(checkpoint.load_model(run_dir, "last"))

    monkeypatch.setattr(checkpoint.Checkpoints, "save_last", then)
    assert train(config, run_dir)
    assert f"--run_dir={run_dir}: another process is training" in refused[0]
    assert read
    assert not (run_dir / ".lock").exists()
    # A killed one's lock hinders nobody.
    (run_dir / ".lock").write_text("process 1 on an old host since 1970")
    assert train(config, run_dir)
