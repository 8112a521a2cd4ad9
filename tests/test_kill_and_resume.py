"""Kills in succession, and a run that ends as if nothing had happened."""

import os
import random
import signal
import time

from benchmarks import kill_and_resume as runs
from tests import programs

KILLS = 5
# Fewer epochs of more steps than the benchmark's: each epoch costs seconds.
PAIRS, LENGTH = 18, "--epochs=4"


def after_a_record(seconds):
    """So long after this process wrote its first line of metrics."""

    def wait(process, run_dir):
        path = run_dir / "metrics.jsonl"
        began = time.time()
        while process.poll() is None:
            # Going on with a run rewrites the file before the first step.
            if path.is_file() and path.stat().st_mtime > began:
                break
            time.sleep(0.001)
        time.sleep(seconds)

    return wait


def start(program, *arguments):
    """What the benchmark does, without importing TensorFlow every time."""
    return programs.start(f"experiments.{program}", *arguments)


def test_five_kills_leave_no_trace(tmp_path, monkeypatch):
    """Bit for bit, weights and optimizer; the other is sent SIGUSR1."""
    world = tmp_path / "world"
    runs.make_world(world, PAIRS)
    whole = runs.start_run(world, tmp_path / "whole", LENGTH)
    after_a_record(0)(whole, tmp_path / "whole")
    os.kill(whole.pid, signal.SIGUSR1)
    _, said = whole.communicate()
    assert whole.returncode == 0, said
    assert "SIGUSR1: writing a checkpoint after this step" in said

    # The others come from another process, whose sets have another order.
    monkeypatch.setattr(runs, "_start", start)
    killed, chance = tmp_path / "killed", random.Random(0)
    kills = []
    while len(kills) < KILLS or not any(k.writing for k in kills):
        moments = [runs.while_writing(2), after_a_record(chance.uniform(0, 1))]
        moment = moments[len(kills) % 2]
        kills.append(runs.kill_run(world, killed, moment, LENGTH))
        assert kills[-1].landed, f"the run ended before kill {len(kills)}"
    runs.finish_run(world, killed, LENGTH)
    expected = runs.final_state(tmp_path / "whole")
    found = runs.final_state(killed)
    assert len(expected) > 100
    assert runs.differing(expected, found) == []
    print("last saved step, writing:", [(k.step, k.writing) for k in kills])
