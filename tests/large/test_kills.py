"""Killed programs, started again, end as if nothing had happened.

KILLS=25 python -m pytest -s --run-large tests/large/test_kills.py
"""

import os
import random
import shutil
import signal
import time

import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.export.saved_model import export_model
from tests.large import kills
from tests.tiny_runs import ONE_STEP, write_run

KILLS = int(os.environ.get("KILLS", 25))
FOLDER_KILLS = int(os.environ.get("KILLS", 20))
PAIRS = int(os.environ.get("PAIRS", 400))
SEED = int(os.environ.get("SEED", 0))
# The smallest network that trains, in 6 steps.
SHORT = "--epochs=3 --width_multiplier=0.015625 --poolings=1".split()
SHORT += "--system=linear_probe --blocks=2 --image_size=8,16".split()


def test_kills_in_succession_leave_no_trace(tmp_path):
    """Bit for bit, weights and optimizer; the other is sent SIGUSR1."""
    job = kills.training(kills.small_world(tmp_path / "world", 8, 3), *SHORT)
    # From another process than the killed ones, whose sets have another order.
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = job.start(whole, fresh=True)
    job.wait(process, whole, "whole/metrics.jsonl")
    os.kill(process.pid, signal.SIGUSR1)
    # Nothing is trained any more once the report begins.
    job.wait(process, whole, "whole/.report.lock")
    process.kill()
    _, errors = process.communicate()
    assert "SIGUSR1: writing a checkpoint after this step" in errors
    # The first before negatives are mined, the other after.
    for step in (2, 4):
        assert job.kill(killed, f"killed/checkpoints/last/ckpt-{step}*")
        assert step - 2 < kills.saved(killed) <= step
    assert job.kill(killed, "killed/.report.lock")
    expected = job.result(whole)
    assert len(expected) > 100
    assert job.differing(killed, expected) == []


def test_a_killed_cache_is_byte_identical(tmp_path):
    world, whole = kills.small_world(tmp_path / "world", 60, 8), tmp_path / "w"
    job = kills.preparing(world, "--image_size=112,616", "--processes=2")
    job.finish(whole)
    expected = job.result(whole)
    assert len(expected) == 7
    for number, seconds in enumerate((0.0, 0.25)):
        folder = tmp_path / f"killed{number}"
        job.kill(folder, seconds=seconds)
        job.finish(folder)
        assert job.differing(folder, expected) == []


@pytest.mark.large
def test_many_killed_runs_equal_an_uninterrupted_one(tmp_path):
    """One kill a run; every third while a checkpoint is written."""
    job = kills.training(kills.small_world(tmp_path / "world", 10, 7))

    def pattern(number, chance):
        step = chance.randint(1, 16)
        name = f"kill{number}/checkpoints/last/ckpt-{step}*"
        return None if number % 3 else name

    def kept(folder):
        writing = ", writing" if kills.was_writing(folder) else ""
        return f"step {kills.saved(folder)}{writing}"

    assert _equal(job, tmp_path, KILLS, pattern, kept) == KILLS


@pytest.mark.large
@pytest.mark.parametrize("kind", ["cache", "gallery"])
def test_many_killed_folders_are_byte_identical(kind, tmp_path):
    """Of a world of CVUSA's sizes, killed at random moments."""
    counts = PAIRS - PAIRS // 10, PAIRS // 10
    world = kills.small_world(tmp_path / "world", *counts, 750, (224, 1232))
    job = kills.preparing(world, "--image_size=112,616")
    if kind == "gallery":
        config = RunConfig(model=ONE_STEP)
        model = write_run(tmp_path / "run", config)
        export_model(model, config, tmp_path / "export")
        images = world / "splits/train-19zl.csv"
        job = kills.indexing(tmp_path / "export", images, "--batch_size=8")
    found = _equal(
        job,
        tmp_path,
        FOLDER_KILLS,
        lambda *_: None,
        lambda folder: f"{kills.blocks(folder)} lines of journals",
    )
    assert found == FOLDER_KILLS


def _equal(job, root, count, pattern, kept):
    """How many of so many killed folders end as one that was not killed.

    Args:
        job: killed again and again.
        root: where its folders go.
        count: of kills; one that came after the end does not count.
        pattern: from a kill's number and a source of chance to the file that
            it waits for, or None: it comes at a random moment.
        kept: words for what a kill left in a folder.
    """
    whole, chance = root / "whole", random.Random(SEED)
    process = job.start(whole, fresh=True)
    job.wait(process, whole)
    began = time.monotonic()
    job.finish(whole, process)
    span, expected = time.monotonic() - began, job.result(whole)
    print(f"\nuninterrupted: {span:.1f} s, {len(expected)} names")
    landed = equal = 0
    while landed < count:
        folder = root / f"kill{landed}"
        awaited = pattern(landed, chance)
        seconds = 0.0 if awaited else chance.uniform(0, span)
        if job.kill(folder, awaited, seconds):
            landed += 1
            left = kept(folder)
            job.finish(folder)
            different = job.differing(folder, expected)
            equal += not different
            when = "at its file" if awaited else f"after {seconds:5.2f} s"
            print(
                f"{landed:3d}: {when}: {left}: {len(different)} names differ",
                flush=True,
            )
        shutil.rmtree(folder)
    print(f"equal: {equal} of {landed}")
    return equal
