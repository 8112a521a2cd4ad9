"""Preparing against bare decoding, and reading the cache against the files.

    python -m benchmarks.prepare [--pairs=2000] [--world=FOLDER]

A world of CVUSA's true sizes (aerial 750 x 750, ground 224 x 1232) is made,
unless one is given. Bare decoding is `cv2.imdecode` of the same files in as
many plain processes, started, as those of `prepare`, within the time taken.
They take turns; the median of the rounds counts. Pairs a second are those of
complete training batches, float32, in TensorFlow's hands.
"""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np
from absl import app, flags

from benchmarks.yardstick import (
    cvusa_size_world,
    show_ratio,
    take_turns,
    timed,
)
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.records import Dataset, Pair
from mgtl_tf.datasets.sources import CacheSource, FileSource, PairSource
from mgtl_tf.utils.memory import resident_bytes
from polar.parallel import keep_freed_memory, usable_cores

_PAIRS = flags.DEFINE_integer("pairs", 2000, "pairs of the world", 200)
_WORLD = flags.DEFINE_string("world", None, "a world that is there already")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "of preparing and decoding", 1)

SETTINGS = CacheSettings("procedural", (112, 616), (0.0, 1.0))
BATCH = 16
FILES_AT_A_TIME = 32
GOALS = {"prepare": 0.85, "cache": 15.0}

# Every process that decodes starts by importing this file: what it does not
# need is imported where it is used.


def bare_decoding(pairs: list[Pair]) -> None:
    """Decodes all files, and nothing else."""
    files = [str(path) for pair in pairs for path in (pair.ground, pair.aerial)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(usable_cores(), cv2.setNumThreads, (1,)) as pool:
        for _ in pool.imap_unordered(_decode, files, FILES_AT_A_TIME):
            pass


def _decode(file: str) -> None:
    cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)


def preparing(data_dir: Path, folder: Path, anew: bool = True) -> None:
    """`prepare` into a folder, with as many processes as decode."""
    from mgtl_tf.workflows.prepare import prepare

    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    prepared = prepare(
        data_dir, folder, SETTINGS, usable_cores(), progress=False
    )
    if prepared.problems:
        raise RuntimeError(f"{data_dir}: {prepared.problems[0]}")


def compare_preparing(data: Dataset, data_dir: Path, folder: Path) -> None:
    """Prints the rates of preparing and of bare decoding."""
    pairs = [*data.train, *data.validation]
    turns = take_turns(
        {
            "decoding": lambda: bare_decoding(pairs),
            "preparing": lambda: preparing(data_dir, folder),
        },
        _ROUNDS.value,
    )
    for name, taken in turns.items():
        rates = ", ".join(f"{2 * len(pairs) / clock:.0f}" for clock, _ in taken)
        print(f"{name}: {rates} files a second in {usable_cores()} processes")
    show_ratio(turns, "preparing", "decoding", GOALS["prepare"])
    again = timed(preparing, data_dir, folder, anew=False)[1][0]
    print(f"a second run: {again:.2f} s")


def epoch(source: PairSource, rows: int) -> None:
    """Some pairs in random order, in training batches."""
    from mgtl_tf.datasets.pipeline import train_batches

    order = np.random.default_rng(0).permutation(len(source))[:rows]
    batches = order[: rows // BATCH * BATCH].reshape(-1, BATCH)
    for _ in train_batches(source, batches, augment=False, seed=0, epoch=0):
        pass


def compare_reading(data: Dataset, folder: Path) -> None:
    """Prints pairs a second from both sources, and memory."""
    keep_freed_memory()  # As experiments.train does.
    files = FileSource(data.train, SETTINGS.image_size)
    cache = CacheSource(folder / "train")
    count = len(data.train) // BATCH * BATCH
    rows = min(count, 50 * BATCH)
    epoch(cache, count)  # TensorFlow's first steps are slow.
    turns = take_turns(
        {
            "reading files": lambda: epoch(files, rows),
            "reading the cache": lambda: epoch(cache, count),
        },
        _ROUNDS.value,
    )
    turns["reading files"] *= count / rows  # Of fewer pairs.
    for name, taken in turns.items():
        print(f"{name}: {count / np.median(taken[:, 0]):.0f} pairs a second")
    print(f"{resident_bytes('RssAnon') / 1e6:.0f} MB after the epochs")
    show_ratio(turns, "reading the cache", "reading files", GOALS["cache"])


def main(argv: list[str]) -> None:
    """Prints all ratios."""
    from mgtl_tf.datasets.readers import read_dataset

    del argv
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        data_dir = Path(
            _WORLD.value or cvusa_size_world(work / "w", _PAIRS.value)
        )
        data = read_dataset(SETTINGS.dataset, data_dir)
        compare_preparing(data, data_dir, work / "prepared")
        compare_reading(data, work / "prepared")


if __name__ == "__main__":
    app.run(main)
