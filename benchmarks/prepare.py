"""Preparing against bare decoding, and reading the cache against the files.

    python -m benchmarks.prepare [--pairs=2000] [--world=FOLDER]

A world of CVUSA's true sizes (aerial 750 x 750, ground 224 x 1232) is made,
unless one is given. Bare decoding is `cv2.imdecode` of the same files in as
many plain processes, started, as those of `prepare`, within the time taken;
and once more with one image's memory kept for the next, as `prepare` does.
They take turns; the median of the rounds counts. Pairs a second are those of
whole training batches, float32, in TensorFlow's hands.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from absl import app, flags

from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.records import Dataset, Pair
from mgtl_tf.datasets.sources import CacheSource, FileSource, PairSource
from polar.parallel import keep_freed_memory, usable_cores

_PAIRS = flags.DEFINE_integer("pairs", 2000, "pairs of the world", 200)
_WORLD = flags.DEFINE_string("world", None, "a world that is there already")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "of preparing and decoding", 1)

SETTINGS = CacheSettings("procedural", (112, 616), (0.0, 1.0))
BATCH = 16
FILES_AT_A_TIME = 32
GOALS = {"prepare": 0.85, "cache": 15.0}


def world(folder: Path, pairs: int) -> Path:
    """A world whose pictures have CVUSA's sizes."""
    # Every process that decodes starts by importing this file: what it does
    # not need is imported where it is used.
    from mgtl_tf.synthetic.settings import WorldSettings
    from mgtl_tf.workflows.world import make_world

    settings = WorldSettings(
        train_pairs=pairs - pairs // 20,
        val_pairs=pairs // 20,
        aerial_size=750,
        ground_height=224,
        ground_width=1232,
    )
    make_world(settings, folder, usable_cores(), progress=True)
    return folder


def world_pairs(data_dir: Path) -> Dataset:
    """The records of such a world."""
    from mgtl_tf.datasets.readers import read_dataset

    return read_dataset(SETTINGS.dataset, data_dir)


class Timer:
    """Seconds of the clock, and of the processors in this and ended children.

    A busy machine stretches the first; the second stays what it is.
    """

    def __init__(self) -> None:
        self._clock, self._processor = time.monotonic(), self._spent()

    @staticmethod
    def _spent() -> float:
        times = os.times()
        return sum(times[:4])

    def read(self) -> Seconds:
        """Seconds since it was made."""
        return Seconds(
            time.monotonic() - self._clock, self._spent() - self._processor
        )


class Seconds(NamedTuple):
    """What a piece of work took."""

    clock: float
    processor: float


def bare_decoding(
    pairs: list[Pair], processes: int, keep_memory: bool = False
) -> Seconds:
    """What decoding all files takes, and nothing else.

    Args:
        pairs: whose files.
        processes: how many decode at a time.
        keep_memory: whether they keep the memory of one image for the next,
            as those of `prepare` do; bare `cv2.imdecode` does not.
    """
    files = [str(path) for pair in pairs for path in (pair.ground, pair.aerial)]
    jobs = [
        files[start : start + FILES_AT_A_TIME]
        for start in range(0, len(files), FILES_AT_A_TIME)
    ]
    timer = Timer()
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _begin, (keep_memory,)) as pool:
        for _ in pool.imap_unordered(_decode, jobs):
            pass
        pool.close()
        pool.join()
    return timer.read()


def _begin(keep_memory: bool) -> None:
    cv2.setNumThreads(1)
    if keep_memory:
        keep_freed_memory()


def _decode(files: list[str]) -> None:
    for file in files:
        data = np.fromfile(file, np.uint8)
        cv2.imdecode(data, cv2.IMREAD_COLOR)


def preparing(data_dir: Path, folder: Path, processes: int) -> Seconds:
    """What the whole of `prepare` takes, into a new folder."""
    from mgtl_tf.workflows.prepare import prepare

    shutil.rmtree(folder, ignore_errors=True)
    timer = Timer()
    prepared = prepare(data_dir, folder, SETTINGS, processes, progress=False)
    if prepared.problems:
        raise RuntimeError(f"{data_dir}: {prepared.problems[0]}")
    return timer.read()


def epochs(source: PairSource, rows: int, count: int) -> Iterator[Seconds]:
    """Of a pair in each epoch, in random order, in training batches."""
    from mgtl_tf.datasets.pipeline import train_batches

    for epoch in range(count):
        order = np.random.default_rng(epoch).permutation(len(source))[:rows]
        batches = order[: rows // BATCH * BATCH].reshape(-1, BATCH)
        timer = Timer()
        for _ in train_batches(
            source, batches, augment=False, seed=0, epoch=epoch
        ):
            pass
        taken = timer.read()
        yield Seconds(*(value / batches.size for value in taken))


def own_memory() -> float:
    """MB of this process that no file backs (Linux)."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) / 1000 if found else float("nan")


def compare_preparing(data_dir: Path, folder: Path) -> None:
    """Prints the rates of preparing and of bare decoding."""
    from mgtl_tf.workflows.prepare import prepare

    dataset = world_pairs(data_dir)
    pairs = [*dataset.train, *dataset.validation]
    processes = usable_cores()
    times: dict[str, list[Seconds]] = {
        name: [] for name in ("decoding", "decoding, memory kept", "preparing")
    }
    bare, kept, own = times.values()
    for _ in range(_ROUNDS.value):
        bare.append(bare_decoding(pairs, processes))
        own.append(preparing(data_dir, folder, processes))
        kept.append(bare_decoding(pairs, processes, keep_memory=True))
    for name, taken in times.items():
        rates = ", ".join(f"{2 * len(pairs) / t.clock:.0f}" for t in taken)
        print(f"{name}: {rates} files a second in {processes} processes")
    show_ratio("preparing, times bare decoding", bare, own, GOALS["prepare"])
    show_ratio("preparing, times decoding with memory kept", kept, own)
    timer = Timer()
    prepare(data_dir, folder, SETTINGS, processes, progress=False)
    print(f"a second run: {timer.read().clock:.2f} s")


def compare_reading(data_dir: Path, folder: Path) -> None:
    """Prints pairs a second from both sources, and memory by epoch."""
    keep_freed_memory()  # As experiments.train does.
    pairs = world_pairs(data_dir).train
    files = FileSource(pairs, SETTINGS.image_size)
    cache = CacheSource(folder / "train")
    rows = min(len(pairs), 50 * BATCH)
    list(epochs(cache, len(pairs), 1))  # TensorFlow's first steps are slow.
    slow: list[Seconds] = []
    fast: list[Seconds] = []
    for _ in range(_ROUNDS.value):
        slow += epochs(files, rows, 1)
        fast += epochs(cache, len(pairs), 1)
        print(
            f"from files {1 / slow[-1].clock:.0f}, from the cache"
            f" {1 / fast[-1].clock:.0f} pairs a second; {own_memory():.0f} MB"
            " of memory after the epoch"
        )
    show_ratio("the cache, times the files", slow, fast, GOALS["cache"])


def show_ratio(
    name: str,
    slow: list[Seconds],
    fast: list[Seconds],
    goal: float | None = None,
) -> None:
    """Prints the median of how many times as fast, by both times."""
    clock, processor = (
        statistics.median(s[n] / f[n] for s, f in zip(slow, fast, strict=True))
        for n in range(2)
    )
    aim = f"goal {goal}" if goal else "for comparison"
    print(
        f"{name}: {clock:.2f} by the clock, {processor:.2f} by processor time"
        f" ({aim})"
    )


def main(argv: list[str]) -> None:
    """Prints all ratios."""
    del argv
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        given = _WORLD.value
        data_dir = Path(given) if given else world(work / "w", _PAIRS.value)
        compare_preparing(data_dir, work / "prepared")
        compare_reading(data_dir, work / "prepared")


if __name__ == "__main__":
    app.run(main)
