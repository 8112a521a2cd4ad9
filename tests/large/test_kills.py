"""Killed programs, started again, end as if nothing had happened.

KILLS=25 python -m pytest -s --run-large tests/large/test_kills.py
"""

import os
import random
import shutil
import signal
import time

import pytest

from tests.large import kills

KILLS = int(os.environ.get("KILLS", 25))
CACHE_KILLS = int(os.environ.get("KILLS", 20))
PAIRS = int(os.environ.get("PAIRS", 400))
SEED = int(os.environ.get("SEED", 0))
# Fewer epochs of more steps than the large form: each epoch costs seconds.
SHORT, SHORT_PAIRS, SHORT_KILLS = "--epochs=3", (18, 7), 2


def test_kills_in_succession_leave_no_trace(tmp_path):
    """Bit for bit, weights and optimizer; the other is sent SIGUSR1."""
    world = tmp_path / "world"
    kills.make_world(world, SHORT_PAIRS)
    # From another process than the killed ones, whose sets have another order.
    whole = tmp_path / "whole"
    process = kills.start_training(world, whole, SHORT, fresh=True)
    kills.after(0, "metrics.jsonl")(process, whole)
    os.kill(process.pid, signal.SIGUSR1)
    errors = kills.finish(process)
    assert "SIGUSR1: writing a checkpoint after this step" in errors

    killed, chance, done = tmp_path / "killed", random.Random(0), []
    while len(done) < SHORT_KILLS or not any(k.writing for k in done):
        # Going on with a run rewrites the file before the first step.
        moments = [
            kills.while_writing(2),
            kills.after(chance.uniform(0, 1), "metrics.jsonl", time.time()),
        ]
        moment = moments[len(done) % 2]
        done.append(kills.kill_training(world, killed, moment, SHORT))
        assert done[-1].landed, f"the run ended before kill {len(done)}"
    kills.finish(kills.start_training(world, killed, SHORT))
    expected, found = kills.final_state(whole), kills.final_state(killed)
    assert len(expected) > 100
    assert kills.differing(expected, found) == []
    print("last saved step, writing:", [(k.step, k.writing) for k in done])


def test_a_killed_cache_is_byte_identical(tmp_path):
    world, whole = tmp_path / "world", tmp_path / "whole"
    kills.make_world(world, (60, 8))
    flags = "--image_size=112,616", "--processes=2"
    kills.finish(kills.start_preparing(world, whole, *flags))
    expected = kills.content(whole)
    assert len(expected) == 7
    for number, seconds in enumerate((0.0, 0.25)):
        folder = tmp_path / f"killed{number}"
        process = kills.start_preparing(world, folder, *flags)
        kills.kill_at(process, kills.after(seconds, "*/*.json*"), folder)
        kills.finish(kills.start_preparing(world, folder, *flags))
        assert kills.content(folder) == expected


@pytest.mark.large
def test_many_killed_runs_equal_an_uninterrupted_one(tmp_path):
    """One kill a run; every third while a checkpoint is written."""
    world, chance = tmp_path / "world", random.Random(SEED)
    kills.make_world(world, (10, 7))
    whole = tmp_path / "whole"
    kills.finish(kills.start_training(world, whole))
    first = (whole / "environment.json").stat().st_mtime
    span = (whole / "report/report.html").stat().st_mtime - first
    expected, equal = kills.final_state(whole), 0
    print(f"\nuninterrupted: {span:.1f} s, {len(expected)} variables")
    print("kill  after s  saved step  writing  differing variables")
    for number in range(KILLS):
        run_dir = tmp_path / f"run{number}"
        kill = _kill_for_sure(world, run_dir, number, span, chance)
        kills.finish(kills.start_training(world, run_dir))
        different = kills.differing(expected, kills.final_state(run_dir))
        equal += not different
        print(
            f"{number + 1:4d}  {kill.seconds:7.1f}  {kill.step:10d}"
            f"  {'yes' if kill.writing else 'no':>7}  {len(different)}",
            flush=True,
        )
    print(f"equal to the bit: {equal} of {KILLS}")
    assert equal == KILLS


def _kill_for_sure(world, run_dir, number, span, chance):
    """Kills a new run; one that ended before its moment is not counted."""
    while True:
        moment = kills.after(chance.uniform(0, span), "config.json")
        if number % 3 == 0:
            moment = kills.while_writing(chance.randint(1, 16))
        kill = kills.kill_training(world, run_dir, moment)
        if kill.landed:
            return kill
        shutil.rmtree(run_dir)


@pytest.mark.large
def test_many_killed_caches_are_byte_identical(tmp_path):
    """Of a world of CVUSA's sizes, killed at random moments."""
    world, whole = tmp_path / "world", tmp_path / "whole"
    sizes = "--aerial_size=750", "--ground_size=224x1232"
    kills.make_world(world, (PAIRS - PAIRS // 10, PAIRS // 10), *sizes)
    flag, chance = "--image_size=112,616", random.Random(SEED)
    process = kills.start_preparing(world, whole, flag)
    kills.after(0, "*/*.json*")(process, whole)
    began = time.monotonic()
    kills.finish(process)
    span, expected = time.monotonic() - began, kills.content(whole)
    equal = landed = 0
    while landed < CACHE_KILLS:
        folder, seconds = tmp_path / f"kill{landed}", chance.uniform(0, span)
        shutil.rmtree(folder, ignore_errors=True)
        process = kills.start_preparing(world, folder, flag)
        moment = kills.after(seconds, "*/*.json*")
        if not kills.kill_at(process, moment, folder):
            continue  # It was faster than the first; not counted.
        landed += 1
        done = kills.prepared_blocks(folder)
        kills.finish(kills.start_preparing(world, folder, flag))
        same = kills.content(folder) == expected
        equal += same
        print(
            f"killed after {seconds:5.2f} s with {done:3d} blocks done:"
            f" {'equal' if same else 'DIFFERENT'}",
            flush=True,
        )
        shutil.rmtree(folder)
    print(f"byte-identical: {equal} of {landed}")
    assert equal == landed
