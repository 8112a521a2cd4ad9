"""The programs themselves on a tiny world: train, stop, resume, evaluate."""

import json
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.config import RunConfig
from mgtl_tf.training.logs import read_metrics
from tests import programs

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared/data/real_pairs"
TINY = [
    "--preset=procedural",
    "--image_size=16,40",
    "--width_multiplier=0.0625",
    "--poolings=2",
    "--channels=12",
    "--heads=2",
    "--recurrent_steps=1",
    "--batch_size=4",
    "--evaluation_batch_size=2",
    "--dtype_policy=float32",
    "--deterministic",
    "--log_every=1",
    "--evaluate_every=1",
]
# That every system resumes, tests/models/test_systems_learn.py shows.
PROBE = [*TINY, "--system=linear_probe", "--blocks=1"]


def program(name, *arguments, check=0):
    """A program of `experiments`; fails on another exit status."""
    return _ended(programs.run(f"experiments.{name}", *arguments), check)


def _ended(result, status):
    assert result.returncode == status, result.stderr[-3000:]
    return result


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "world"
    program(
        "make_world",
        f"--output_dir={folder}",
        "--train_pairs=10",
        "--val_pairs=3",
        "--aerial_size=48",
        "--ground_size=32x160",
        "--processes=1",
    )
    return folder


@pytest.fixture(scope="module")
def run(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    flags = [*PROBE, f"--data_dir={world}", "--epochs=2", "--mining_start=1"]
    flags += ["--mining_neighbours=3", "--ema_momentum=0.9"]
    flags += ["--backbone_dropout=0.5", "--color_jitter=0.3"]
    flags += ["--backbone_normalization=none"]
    # Not of the process that the run it is compared with is a fork of.
    run_dir = f"--run_dir={folder}"
    _ended(programs.fresh("experiments.train", *flags, run_dir), 0)
    return folder, flags


def _weights(run_dir, name="model"):
    path = tf.train.latest_checkpoint(str(run_dir / "checkpoints/last"))
    reader = tf.train.load_checkpoint(path)
    names = reader.get_variable_to_shape_map()
    found = {n: reader.get_tensor(n) for n in names if n.startswith(f"{name}/")}
    assert found
    return found


def test_a_run_leaves_everything_it_promises(run):
    folder, _ = run
    config = RunConfig.load(folder)
    assert config.model.image_size == (16, 40)
    assert (folder / "report" / "report.html").is_file()
    assert any((folder / "tensorboard").iterdir())
    records = read_metrics(folder)
    training = [r for r in records if r["kind"] == "train"]
    # 10 pairs in batches of 4: two whole batches an epoch (R17).
    assert [r["step"] for r in training] == [1, 2, 3, 4]
    for name in ("loss", "positive_distance", "pairs_per_second"):
        assert all(np.isfinite(r[name]) for r in training)
    evaluations = [r for r in records if r["kind"] == "evaluation"]
    assert [r["step"] for r in evaluations] == [2, 4]
    assert evaluations[-1]["gallery_size"] == 3
    for records in (training, evaluations):
        # One table a kind, as pandas.read_json(path, lines=True) makes it.
        assert len({tuple(record) for record in records}) == 1
    assert "within_25m" in evaluations[-1]["ground_to_satellite"]


def test_stopped_and_resumed_equals_uninterrupted(run, world, tmp_path):
    """Bit for bit: order, mining, augmentation, dropout, optimizer, weights.

    Also where it goes on at another pace.

    That Ctrl-C does what SIGTERM does, tests/training/test_logs.py shows.
    """
    folder, flags = run
    target = tmp_path / "run"
    process = programs.start("experiments.train", *flags, f"--run_dir={target}")
    deadline = time.monotonic() + 120
    while not read_metrics(target) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode in (0, 130), errors[-2000:]
    pace = ["--checkpoint_minutes=1", "--profile_steps=2", "--log_every=3"]
    pace += ["--retrieval_pictures=0"]
    program("train", *flags, *pace, f"--run_dir={target}")
    for file in ("model", "optimizer"):
        expected, found = _weights(folder, file), _weights(target, file)
        assert expected.keys() == found.keys()
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name], name)
    steps = [r["step"] for r in read_metrics(target) if r["kind"] == "train"]
    assert steps == sorted(set(steps)) and (steps[0], steps[-1]) == (1, 4)


def test_evaluate_prints_the_table_and_writes_it(run):
    folder, _ = run
    result = program("evaluate", f"--run_dir={folder}")
    assert "r@1" in result.stdout and "satellite to ground" in result.stdout
    assert result.stdout.startswith("aligned  ")
    path = folder / "evaluation-procedural-validation.json"
    values = json.loads(path.read_text())
    best = max(
        r["ground_to_satellite"]["r@1"]
        for r in read_metrics(folder)
        if r["kind"] == "evaluation"
    )
    assert values["ground_to_satellite"]["r@1"] == pytest.approx(best)


@pytest.mark.parametrize(
    ("name", "arguments", "status", "said"),
    [
        ("train", ["--preset=cvusa", "--data_dir=no", "--run_dir=r"], 1, "no"),
        ("train", ["--preset=moon", "--run_dir=r"], 2, "moon"),
        ("train", ["--preset=cvusa", "--run_dir=r", "--colour=1"], 2, "colour"),
        ("train", ["--preset=cvusa", "--run_dir=r", "--heads=5"], 2, "heads"),
        (
            "train",
            ["--preset=cvusa", "--run_dir=r", "--image_size=1,2,3"],
            2,
            "image_size",
        ),
        ("train", ["--preset=cvusa"], 2, "run_dir"),
        ("evaluate", ["--run_dir=nothing_here"], 1, "nothing_here"),
        ("evaluate", ["--run_dir=a", "--split=all"], 2, "split"),
        ("evaluate", ["--run_dir=a", "--protocol=fov_45"], 2, "protocol"),
        ("evaluate", ["--run_dir=a", "--ray_address=a:1"], 2, "--runner=ray"),
        ("make_world", ["--output_dir=r", "--seed=-1"], 2, "seed"),
        ("make_world", ["--output_dir=r", "more"], 2, "more"),
    ],
)
def test_mistakes_get_one_line(name, arguments, status, said):
    # What is said while a program loads, too.
    start = programs.fresh if status == 1 else programs.run
    result = _ended(start(f"experiments.{name}", *arguments), status)
    lines = [x for x in result.stderr.splitlines() if x.strip()]
    assert len(lines) == 1, result.stderr
    assert said in lines[0]
    assert not (ROOT / "r").exists()


def test_truncated_image_stops_before_training(world, tmp_path):
    copy = tmp_path / "world"
    for path in world.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(world)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    victim = copy / "streetview/panos/0000002.jpg"
    victim.write_bytes(victim.read_bytes()[:900])
    flags = [*PROBE, f"--data_dir={copy}", f"--run_dir={tmp_path / 'run'}"]
    result = program("train", *flags, check=1)
    assert "0000002.jpg: is cut off" in result.stderr
    assert "Traceback" not in result.stderr
    # And where files are decoded while training.
    flags[-1] = f"--run_dir={tmp_path / 'run2'}"
    # In the first batch of all pairs, before a step is traced.
    flags += ["--cache=none", "--batch_size=10"]
    result = program("train", *flags, check=1)
    assert "0000002.jpg: is cut off" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(
    not REAL.is_dir(), reason="../shared/data/real_pairs is not here"
)
def test_real_files_train_and_evaluate(tmp_path):
    """CVACT's own layout, with a network of a test's size.

    Every system learns CVUSA's in tests/models/test_systems_learn.py.
    """
    size = [a for a in TINY if not a.startswith(("--preset", "--batch"))]
    program(
        "train",
        "--preset=cvact",
        f"--data_dir={REAL}",
        f"--run_dir={tmp_path / 'run'}",
        *size,
        "--batch_size=4",
        "--backbone_weights=none",
        "--backbone_normalization=batch",
        "--max_steps=2",
    )
    result = program("evaluate", f"--run_dir={tmp_path / 'run'}")
    assert "gallery: 6 places" in result.stdout
    page = tmp_path / "run" / "report" / "report.html"
    assert page.is_file()
    pictures = sorted(page.parent.glob("*.jpg"))
    assert pictures
    assert all(cv2.imread(str(p)) is not None for p in pictures)
