"""A run killed by SIGKILL and resumed against the same run uninterrupted.

    python -m benchmarks.kill_and_resume [--kills=25] [--seed=0]

A small run on a synthetic world is trained once to its end, and then once more
for every kill: killed, resumed with the same command, and compared in every
weight and every variable of the optimizer, bit for bit. Every third kill is
aimed at the writing of a checkpoint, which shows in what it leaves behind;
the others come at any moment between the run's first file and its end.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import app, flags

_KILLS = flags.DEFINE_integer("kills", 25, "runs to kill", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "decides the moments")

ROOT = Path(__file__).parents[1]
AIMED_AT_WRITING = 3
FLAGS = (
    "--preset=procedural --image_size=16,40 --width_multiplier=0.0625"
    " --poolings=2 --channels=12 --heads=2 --recurrent_steps=1"
    " --backbone_dropout=0.2 --color_jitter=0.2 --batch_size=4"
    " --evaluation_batch_size=3 --dtype_policy=float32 --deterministic"
    " --log_every=1 --epochs=8 --evaluate_every=2 --mining_start=1"
    " --mining_every=2 --mining_neighbours=3 --checkpoint_steps=1"
).split()
"""Every kind of state that a checkpoint holds, in 16 steps."""

Moment = Callable[[subprocess.Popen, Path], None]
"""Waits for the moment to kill a run, or for the run's end."""


@dataclass
class Kill:
    """What a kill met: how far the run was, and whether it was writing."""

    landed: bool
    seconds: float
    step: int
    writing: bool


def make_world(folder: Path, train_pairs: int = 10) -> None:
    """Seven validation pairs and, by default, two training batches."""
    _finish(
        _start(
            "make_world",
            f"--output_dir={folder}",
            f"--train_pairs={train_pairs}",
            "--val_pairs=7",
            "--aerial_size=48",
            "--ground_size=32x160",
            "--processes=1",
        )
    )


def start_run(world: Path, run_dir: Path, *more: str) -> subprocess.Popen:
    """The training program, just started; the last of equal flags counts."""
    folders = f"--data_dir={world}", f"--run_dir={run_dir}"
    return _start("train", *FLAGS, *folders, *more)


def finish_run(world: Path, run_dir: Path, *more: str) -> str:
    """Trains to the end; what the program wrote to stderr.

    Raises:
        RuntimeError: where it did not get there.
    """
    return _finish(start_run(world, run_dir, *more))


def _start(program: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", f"experiments.{program}", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process: subprocess.Popen) -> str:
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"exit status {process.returncode}: {errors}")
    return errors


def kill_run(world: Path, run_dir: Path, moment: Moment, *more: str) -> Kill:
    """Starts or resumes a run and kills it."""
    before = _unfinished(run_dir)
    process = start_run(world, run_dir, *more)
    began = time.monotonic()
    moment(process, run_dir)
    process.kill()
    process.communicate()
    saved = _newest(run_dir)
    return Kill(
        landed=process.returncode < 0,
        seconds=time.monotonic() - began,
        step=_step(saved) if saved else 0,
        writing=bool(_unfinished(run_dir) - before),
    )


def after(seconds: float) -> Moment:
    """So long after the run's first file."""

    def wait(process: subprocess.Popen, run_dir: Path) -> None:
        first = run_dir / "config.json"
        while process.poll() is None and not first.is_file():
            time.sleep(0.001)
        until = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.001)

    return wait


def while_writing(checkpoint: int) -> Moment:
    """While the nth checkpoint that this process writes is written."""

    def wait(process: subprocess.Popen, run_dir: Path) -> None:
        folder, seen = run_dir / "checkpoints", 0
        # What an earlier kill left is not being written.
        there = _is_writing(folder)
        while process.poll() is None and seen < checkpoint:
            now = _is_writing(folder)
            seen += now and not there
            there = now
            time.sleep(0.0002)

    return wait


def _is_writing(folder: Path) -> bool:
    """Whether a checkpoint lacks its JSON file, which is written last."""
    try:
        names = set(os.listdir(folder / "last"))
    except FileNotFoundError:
        return False
    numbers = {n.split(".")[0].removesuffix("_temp") for n in names}
    return any(
        f"{n}.json" not in names for n in numbers if n.startswith("ckpt-")
    )


def _unfinished(run_dir: Path) -> set[tuple[str, int]]:
    """Files that a kill left of an unfinished checkpoint, with their times."""
    folder = run_dir / "checkpoints" / "last"
    found = {}
    for path in folder.glob("ckpt-*"):
        name = path.name.split(".")[0].removesuffix("_temp")
        if not (folder / f"{name}.json").exists():
            found[path.name] = path.stat().st_mtime_ns
    return set(found.items())


def _newest(run_dir: Path) -> Path | None:
    """`.../ckpt-N.json` of the newest finished checkpoint."""
    found = (run_dir / "checkpoints" / "last").glob("ckpt-*.json")
    return max(found, key=lambda p: int(p.stem.split("-")[1]), default=None)


def _step(manifest: Path) -> int:
    return json.loads(manifest.read_text())["progress"]["step"]


def final_state(run_dir: Path) -> dict[str, np.ndarray]:
    """Every weight and every optimizer variable of the newest checkpoint."""
    manifest = _newest(run_dir)
    if manifest is None:
        raise FileNotFoundError(f"{run_dir}: no checkpoint")
    reader = tf.train.load_checkpoint(str(manifest.with_suffix("")))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if name.startswith(("model/", "optimizer/", "neighbours/"))
    }


def differing(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> list[str]:
    """Names whose arrays are not equal to the bit, or only on one side."""
    both = a.keys() & b.keys()
    unequal = {n for n in both if a[n].tobytes() != b[n].tobytes()}
    return sorted(unequal | (a.keys() ^ b.keys()))


def random_moment(number: int, span: float, chance: random.Random) -> Moment:
    """The moment of a kill, the first of every three in writing."""
    if number % AIMED_AT_WRITING == 0:
        return while_writing(chance.randint(1, 16))
    return after(chance.uniform(0, span))


def measure_span(world: Path, run_dir: Path) -> float:
    """Seconds of an uninterrupted run, from its first file to its end."""
    finish_run(world, run_dir)
    first = (run_dir / "environment.json").stat().st_mtime
    return (run_dir / "report" / "report.html").stat().st_mtime - first


def main(argv: list[str]) -> int:
    """Prints a line a kill and the share of equal runs; 1 if any differs."""
    del argv
    chance = random.Random(_SEED.value)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        make_world(work / "world")
        span = measure_span(work / "world", work / "whole")
        whole = final_state(work / "whole")
        print(f"uninterrupted: {span:.1f} s, {len(whole)} variables")
        print("kill  after s  saved step  writing  differing variables")
        equal = 0
        for number in range(_KILLS.value):
            run_dir = work / f"run{number}"
            kill = _kill_for_sure(work / "world", run_dir, number, span, chance)
            finish_run(work / "world", run_dir)
            different = differing(whole, final_state(run_dir))
            equal += not different
            print(
                f"{number + 1:4d}  {kill.seconds:7.1f}  {kill.step:10d}"
                f"  {'yes' if kill.writing else 'no':>7}  {len(different)}",
                flush=True,
            )
    print(f"equal to the bit: {equal} of {_KILLS.value}")
    return int(equal < _KILLS.value)


def _kill_for_sure(
    world: Path,
    run_dir: Path,
    number: int,
    span: float,
    chance: random.Random,
) -> Kill:
    """Kills a new run; one that ended before its moment is not counted."""
    while True:
        kill = kill_run(world, run_dir, random_moment(number, span, chance))
        if kill.landed:
            return kill
        shutil.rmtree(run_dir)


if __name__ == "__main__":
    app.run(main)
