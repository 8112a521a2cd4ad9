"""The reader of image files against bare decoding, on the same JPEGs.

    python -m benchmarks.decode [--images=FOLDER] [--count=300] [--rounds=7]

Bare decoding is `cv2.imdecode`, which takes damaged files for sound ones.
Both take turns over all files, in one thread; processor time counts, and of
the rounds the median of the ratios. Without --images, pictures of the sizes
of CVUSA's panoramas and aerial images, and of the demo's, are made.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from absl import app, flags

from polar.image_files import decode

GOAL = 0.95
SIZES = ((224, 1232), (750, 750), (64, 320), (128, 128))


def bare(data: bytes) -> np.ndarray:
    """OpenCV's pixels, RGB uint8 [h, w, 3]."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return np.asarray(pixels)


def made(height: int, width: int, count: int) -> list[bytes]:
    """JPEG files of smooth noise."""
    random = np.random.default_rng(0)
    small = (max(height // 8, 1), max(width // 8, 1), 3)
    files = []
    for _ in range(count):
        coarse = random.integers(0, 256, small, np.uint8)
        image = cv2.resize(coarse, (width, height))
        files.append(cv2.imencode(".jpg", image)[1].tobytes())
    return files


def seconds(work: Callable[[bytes], object], files: list[bytes]) -> float:
    """Processor time of all files, one after the other."""
    start = time.process_time()
    for data in files:
        work(data)
    return time.process_time() - start


def ratio(files: list[bytes], rounds: int) -> tuple[float, float]:
    """Our rate over the bare one's, and ours in files a second.

    Raises:
        ValueError: where the pixels differ.
    """
    for data in files[:20]:
        if not np.array_equal(decode(data), bare(data)):
            raise ValueError("pixels differ from OpenCV's")
    ratios, rates = [], []
    for _ in range(rounds):
        theirs, ours = seconds(bare, files), seconds(decode, files)
        ratios.append(theirs / ours)
        rates.append(len(files) / ours)
    return statistics.median(ratios), statistics.median(rates)


def main(argv: list[str]) -> int:
    """Prints a line a set of files; 1 where one is below the goal."""
    del argv
    cv2.setNumThreads(1)
    count, rounds = flags.FLAGS.count, flags.FLAGS.rounds
    if flags.FLAGS.images:
        paths = sorted(Path(flags.FLAGS.images).rglob("*.jpg"))[:count]
        sets = {flags.FLAGS.images: [path.read_bytes() for path in paths]}
    else:
        sets = {f"{w} x {h}": made(h, w, count) for h, w in SIZES}
    least = 1.0
    for name, files in sets.items():
        found, rate = ratio(files, rounds)
        least = min(least, found)
        print(
            f"{name}: {found:.3f} of bare cv2.imdecode (goal {GOAL}),"
            f" {rate:,.0f} images a second"
        )
    return int(least < GOAL)


if __name__ == "__main__":
    # Here, as tests import several benchmarks whose flags share names.
    flags.DEFINE_string("images", "", "folder of JPEG files")
    flags.DEFINE_integer("count", 300, "files of each size", 1)
    flags.DEFINE_integer("rounds", 7, "of both", 1)
    app.run(main)
