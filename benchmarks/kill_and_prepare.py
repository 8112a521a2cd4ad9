"""Kills `prepare` at random moments and compares the caches that come of it.

    python -m benchmarks.kill_and_prepare [--kills=20] [--pairs=200]

A world of CVUSA's sizes is prepared without a break. Then it is prepared
again and again, killed (SIGKILL) each time at a random moment between its
first file and its end, and the same command is given once more: all files of
the result must be those of the first, byte by byte.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import app, flags

ROOT = Path(__file__).parents[1]


def make_world(folder: Path, pairs: int, *sizes: str) -> None:
    """A tenth of the pairs are for validation.

    Args:
        folder: of the world.
        pairs: in all.
        *sizes: flags of experiments.make_world in place of CVUSA's sizes.
    """
    _program(
        "make_world",
        f"--output_dir={folder}",
        f"--train_pairs={pairs - pairs // 10}",
        f"--val_pairs={pairs // 10}",
        *(sizes or ("--aerial_size=750", "--ground_size=224x1232")),
    ).wait()


def start(world: Path, folder: Path, *more: str) -> subprocess.Popen:
    """The preparing program, just started."""
    folders = f"--data_dir={world}", f"--output_dir={folder}"
    return _program("prepare", "--dataset=procedural", *folders, *more)


def _program(name: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", f"experiments.{name}", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def content(folder: Path) -> dict[str, str]:
    """Hash of every file, by its path in the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def first_file(process: subprocess.Popen, folder: Path) -> float:
    """Waits for the first list of finished blocks, or the end; that time."""
    while process.poll() is None and not any(folder.glob("*/*.json*")):
        time.sleep(0.001)
    return time.monotonic()


def kill_once(process: subprocess.Popen, folder: Path, seconds: float) -> bool:
    """Kills it so long after its first file; whether it was still at work."""
    first_file(process, folder)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    return process.wait() < 0


def blocks_done(folder: Path) -> int:
    """How many blocks the journals and manifests of a folder count."""
    journals = folder.glob("*/unfinished.jsonl")
    begun = sum(len(path.read_bytes().split(b"\n")) - 2 for path in journals)
    finished = folder.glob("*/manifest.json")
    return begun + sum(p.read_bytes().count(b'"crc32": [') for p in finished)


def main(argv: list[str]) -> int:
    """Prints a line a kill; 1 if any cache differs."""
    del argv
    chance = random.Random(flags.FLAGS.seed)
    flag = "--image_size=112,616"
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        make_world(work / "world", flags.FLAGS.pairs)
        process = start(work / "world", work / "whole", flag)
        began = first_file(process, work / "whole")
        process.wait()
        span = time.monotonic() - began
        whole = content(work / "whole")
        print(f"uninterrupted: {span:.1f} s, {len(whole)} files")
        equal = landed = 0
        while landed < flags.FLAGS.kills:
            folder, moment = work / f"kill{landed}", chance.uniform(0, span)
            shutil.rmtree(folder, ignore_errors=True)
            process = start(work / "world", folder, flag)
            if not kill_once(process, folder, moment):
                continue  # It was faster than the first; not counted.
            landed += 1
            done = blocks_done(folder)
            start(work / "world", folder, flag).wait()
            same = content(folder) == whole
            equal += same
            print(
                f"killed after {moment:5.2f} s with {done:3d} blocks done:"
                f" {'equal' if same else 'DIFFERENT'}",
                flush=True,
            )
    print(f"byte-identical: {equal} of {landed}")
    return int(equal < landed)


if __name__ == "__main__":
    # Here, as tests import several benchmarks whose flags share names.
    flags.DEFINE_integer("kills", 20, "preparations to kill", 1)
    flags.DEFINE_integer("pairs", 400, "pairs of the world", 20)
    flags.DEFINE_integer("seed", 0, "decides the moments")
    app.run(main)
