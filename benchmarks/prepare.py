"""Preparing against bare decoding, and reading the cache against the files.

    python -m benchmarks.prepare [--pairs=2000] [--world=FOLDER]

A world of CVUSA's true sizes (aerial 750 x 750, ground 224 x 1232) is made,
unless one is given. Bare decoding is `cv2.imdecode` of the same files in as
many plain processes, started, as those of `prepare`, within the time taken;
and once more with one image's memory kept for the next, as `prepare` does.
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

from benchmarks.yardstick import cvusa_size_world, show_ratio, timed
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


def bare_decoding(pairs: list[Pair], keep_memory: bool = False) -> None:
    """Decodes all files, and nothing else.

    Args:
        pairs: whose files.
        keep_memory: whether the processes keep the memory of one image for
            the next, as those of `prepare` do; bare `cv2.imdecode` does not.
    """
    files = [str(path) for pair in pairs for path in (pair.ground, pair.aerial)]
    jobs = [
        files[start : start + FILES_AT_A_TIME]
        for start in range(0, len(files), FILES_AT_A_TIME)
    ]
    context = multiprocessing.get_context("spawn")
    with context.Pool(usable_cores(), _begin, (keep_memory,)) as pool:
        for _ in pool.imap_unordered(_decode, jobs):
            pass
        pool.close()
        pool.join()


def _begin(keep_memory: bool) -> None:
    cv2.setNumThreads(1)
    if keep_memory:
        keep_freed_memory()


def _decode(files: list[str]) -> None:
    for file in files:
        cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)


def preparing(data_dir: Path, folder: Path) -> None:
    """`prepare` into a folder, with as many processes as decode."""
    from mgtl_tf.workflows.prepare import prepare

    prepared = prepare(
        data_dir, folder, SETTINGS, usable_cores(), progress=False
    )
    if prepared.problems:
        raise RuntimeError(f"{data_dir}: {prepared.problems[0]}")


def pair_seconds(source: PairSource, rows: int, epoch: int) -> np.ndarray:
    """Of a pair in an epoch, in random order, in training batches, [2]."""
    from mgtl_tf.datasets.pipeline import train_batches

    order = np.random.default_rng(epoch).permutation(len(source))[:rows]
    batches = order[: rows // BATCH * BATCH].reshape(-1, BATCH)
    made = train_batches(source, batches, augment=False, seed=0, epoch=epoch)
    _, seconds = timed(lambda: [None for _ in made])
    return seconds / batches.size


def compare_preparing(data: Dataset, data_dir: Path, folder: Path) -> None:
    """Prints the rates of preparing and of bare decoding."""
    pairs = [*data.train, *data.validation]
    bare, kept, own = [], [], []
    for _ in range(_ROUNDS.value):
        shutil.rmtree(folder, ignore_errors=True)
        bare.append(timed(bare_decoding, pairs)[1])
        own.append(timed(preparing, data_dir, folder)[1])
        kept.append(timed(bare_decoding, pairs, keep_memory=True)[1])
    for name, taken in (("decoding", bare), ("preparing", own)):
        rates = ", ".join(f"{2 * len(pairs) / clock:.0f}" for clock, _ in taken)
        print(f"{name}: {rates} files a second in {usable_cores()} processes")
    show_ratio("preparing, times bare decoding", bare, own, GOALS["prepare"])
    show_ratio("preparing, times decoding with memory kept", kept, own)
    again = timed(preparing, data_dir, folder)[1][0]
    print(f"a second run: {again:.2f} s")


def compare_reading(data: Dataset, folder: Path) -> None:
    """Prints pairs a second from both sources, and memory by epoch."""
    keep_freed_memory()  # As experiments.train does.
    files = FileSource(data.train, SETTINGS.image_size)
    cache = CacheSource(folder / "train")
    count = len(data.train)
    rows = min(count, 50 * BATCH)
    pair_seconds(cache, count, 0)  # TensorFlow's first steps are slow.
    slow, fast = [], []
    for epoch in range(_ROUNDS.value):
        slow.append(pair_seconds(files, rows, epoch))
        fast.append(pair_seconds(cache, count, epoch))
        print(
            f"from files {1 / slow[-1][0]:.0f}, from the cache"
            f" {1 / fast[-1][0]:.0f} pairs a second;"
            f" {resident_bytes('RssAnon') / 1e6:.0f} MB after the epoch"
        )
    show_ratio("the cache, times the files", slow, fast, GOALS["cache"])


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
