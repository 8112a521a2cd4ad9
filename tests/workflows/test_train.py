"""A run folder's rules: what begins a run, what resumes it, what stops it."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf import metrics
from mgtl_tf.config import RunConfig
from mgtl_tf.evaluation import embedding
from mgtl_tf.evaluation.measured_data import on_data
from mgtl_tf.presets import load_preset
from mgtl_tf.training import checkpoint
from mgtl_tf.training.checkpoint import Checkpoints
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.training.loop import TrainingLoop
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows import train as workflow
from mgtl_tf.workflows.train import train
from tests.small_disk import fill
from tests.tiny_runs import PROBE, write_noisy_cvusa


def all_first(queries, *_):
    """Ranks and ties of a perfect model."""
    return np.ones(len(queries), int), np.zeros(len(queries), int)


SMALL = PROBE.replace(batch_size=2, epochs=1, cache="none")
FROM_EVERY_STEP = {"checkpoint_steps": 1, "log_every": 1, "evaluate_every": 0}


@pytest.fixture(autouse=True)
def quick(eager, request, monkeypatch):
    """No step is traced, and a report is written by one run alone."""
    if request.function is not test_every_option_beyond_the_paper:
        write = lambda run_dir, _: (run_dir / "reported").touch()  # noqa: E731
        monkeypatch.setattr(workflow, "write_run_report", write)


@pytest.fixture
def world(tmp_path):
    """A function: pairs of a new folder, of which so many validate as well."""

    def make(count=4, validation=0, name="world"):
        write_noisy_cvusa(tmp_path / name, count)
        path = tmp_path / name / "splits/val-19zl.csv"
        lines = path.read_text().splitlines()[:validation]
        path.write_text("\n".join(lines))
        return str(tmp_path / name)

    return make


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_run_that_saved_nothing_takes_another_config(
    world, tmp_path, monkeypatch
):
    run_dir = tmp_path / "run"
    config = SMALL.replace(data_dir=world())
    with pytest.raises(UserError, match="backbone_weights=none"):
        train(config.replace(backbone_weights="no.h5"), run_dir)

    def exhausted(self, progress):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    with monkeypatch.context() as patch:
        patch.setattr(TrainingLoop, "run", exhausted)
        with pytest.raises(UserError, match="batch_size=2: more memory"):
            train(config, run_dir)
    assert not checkpoint.has_checkpoint(run_dir)
    # The remedy works; without validation pairs there is a report as well.
    assert train(config, run_dir)
    assert RunConfig.load(run_dir) == config
    assert (run_dir / "reported").is_file()
    with pytest.raises(UserError, match="gamma: 10.0 -> 5.0"):
        train(config.replace(gamma=5.0), run_dir)
    # Moved data is the same data; other pairs are not.
    (tmp_path / "world").rename(tmp_path / "moved")
    assert train(config.replace(data_dir=str(tmp_path / "moved")), run_dir)
    other = config.replace(data_dir=world(3, name="other"))
    with pytest.raises(UserError, match="not those that the run was begun"):
        train(other, run_dir)


def test_diverged_weights_are_named_where_places_are_mined(
    world, tmp_path, monkeypatch
):
    def diverged(ground, satellite):
        ones = tf.ones((len(ground), 3))
        return ones * np.nan, ones

    monkeypatch.setattr(embedding, "_encoder", lambda model: diverged)
    config = SMALL.replace(data_dir=world(), mining_start=0)
    with pytest.raises(UserError, match="the weights diverged"):
        train(config, tmp_path / "run")


def test_other_data_is_read_as_that_data_set_is():
    data = on_data(RunConfig().data, "cvact", "there")
    assert (data.ground_crop, data.data_dir) == ((0.25, 0.75), "there")
    own = RunConfig().replace(ground_crop=(0.1, 0.9), data_dir="here").data
    assert on_data(own, "cvusa", None) == own


@pytest.mark.parametrize(
    ("trained", "system", "measured", "crop"),
    [
        ("cvact", "sample4geo", "cvact_test", (0.0, 1.0)),
        ("cvact", "mgtl", "cvact_test", (0.25, 0.75)),
        ("vigor", "safa", "cvact", (0.0, 1.0)),
        ("cvact", "sample4geo", "vigor", (0.0, 1.0)),
        ("cvact", "mgtl", "vigor", (0.318, 0.682)),
        ("cvusa", "mgtl", "vigor", (0.318, 0.682)),
        ("cvusa", "sample4geo", "cvact", (0.25, 0.75)),
    ],
)
def test_spheres_are_cropped_as_those_trained_on(
    trained, system, measured, crop
):
    config = load_preset(trained, system=system)
    size = config.model.image_size
    data = on_data(config.data, measured, "there", image_size=size)
    assert data.ground_crop == pytest.approx(crop, abs=5e-4)


def test_the_test_set_of_a_folder_has_caches_of_its_own():
    config = load_preset("cvact", data_dir="CVACT", data_cache="prepared")
    data = on_data(config.data, "cvact_test", "CVACT")
    assert (data.data_cache, data.data_dir) == ("", "CVACT")


@pytest.mark.parametrize("validation", [0, 3])
def test_best_holds_the_averages_and_last_the_weights(
    world, tmp_path, monkeypatch, validation
):
    """Also where there is nothing to evaluate on, for export needs them."""
    config = SMALL.replace(
        data_dir=world(4, validation),
        epochs=2,
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
    monkeypatch.setattr(metrics, "ranks", all_first)
    assert train(config, tmp_path / "run")
    averages = steps[0]
    for now in steps[1:]:
        pairs = zip(averages, now, strict=True)
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


def test_every_option_beyond_the_paper(world, tmp_path):
    """InfoNCE, AdamW, cosine, averages, clipping, a profile: to the report."""
    config = SMALL.replace(
        data_dir=world(12, validation=2),
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
    # Two queries over their two answers, at the end of the one epoch.
    assert _pictures(run_dir) == {6: 2}


def test_a_second_training_of_a_run_folder_is_refused(
    world, tmp_path, monkeypatch
):
    """It changes nothing; who reads the run meanwhile may."""
    run_dir = tmp_path / "run"
    config = SMALL.replace(data_dir=world(4, validation=2), checkpoint_steps=1)
    save, refused, read = Checkpoints.save_last, [], []

    def content():
        return {
            path: path.read_bytes()
            for path in run_dir.rglob("*")
            if path.is_file()
        }

    def then(self, progress):
        save(self, progress)
        if not refused:
            before = content()
            with pytest.raises(UserError) as error:
                train(config, run_dir)
            refused.append(one_line(error))
            assert content() == before
            read.append(checkpoint.load_model(run_dir, "last"))

    monkeypatch.setattr(Checkpoints, "save_last", then)
    assert train(config, run_dir)
    assert f"{run_dir}: another process is training" in refused[0]
    assert read
    assert not (run_dir / ".lock").exists()
    # A killed one's lock hinders nobody.
    (run_dir / ".lock").write_text("process 1 on an old host since 1970")
    assert train(config, run_dir)


def test_a_run_folder_that_cannot_be_written(world, tmp_path, disk):
    folder, mount = disk
    config = SMALL.replace(data_dir=world())
    assert mount("remount,ro")
    (tmp_path / "file").touch()
    for run_dir, reason in (
        (folder / "new", "Read-only file system"),
        (tmp_path / "file", "File exists"),
        (tmp_path / "file/run", "Not a directory"),
    ):
        with pytest.raises(UserError, match="cannot be written") as error:
            train(config, run_dir)
        assert one_line(error).startswith(f"{run_dir}: ")
        assert reason in str(error.value)


def test_one_trouble_after_the_other(disk, world, tmp_path, monkeypatch):
    """Data gone, disk full, each repaired: the run still ends as it should."""
    folder, _ = disk
    run_dir = folder / "run"
    config = SMALL.replace(data_dir=world(), epochs=2, **FROM_EVERY_STEP)
    save, at_step = Checkpoints.save_last, {}

    def then(self, progress):
        save(self, progress)
        at_step.pop(progress.step, contextlib.nullcontext)()

    monkeypatch.setattr(Checkpoints, "save_last", then)
    images, away = tmp_path / "world/bingmap", tmp_path / "away"
    at_step[1] = lambda: images.rename(away)
    with pytest.raises(UserError, match=r"\.png: No such file") as error:
        train(config, run_dir)
    assert "bingmap/19/" in one_line(error)
    # So does the same command, before the data are back.
    with pytest.raises(UserError, match="does not exist"):
        train(config, run_dir)
    away.rename(images)
    at_step[3] = lambda: fill(folder)
    with pytest.raises(UserError, match="No space left on device") as error:
        train(config, run_dir)
    assert "batch_size" not in one_line(error)
    (folder / "filler").unlink()
    assert train(config, run_dir)
    steps = [r["step"] for r in read_metrics(run_dir)]
    assert steps == list(range(1, 5))
