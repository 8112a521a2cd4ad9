"""The reader of image files against bare decoding, on the same JPEGs.

    python -m benchmarks.decode [--images=FOLDER] [--count=300] [--rounds=7]

Bare decoding is `cv2.imdecode`, which accepts damaged files. Both take turns
over all files, in one thread; processor time counts, and of the rounds the
median of the ratios. Without --images, pictures of the sizes of CVUSA's
panoramas and aerial images, and of the demo's, are made.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from absl import app, flags

from benchmarks.yardstick import each, show_ratio, take_turns
from polar.image_files import decode

_IMAGES = flags.DEFINE_string("images", "", "folder of JPEG files")
_COUNT = flags.DEFINE_integer("count", 300, "files of each size", 1)
_ROUNDS = flags.DEFINE_integer("rounds", 7, "of both", 1)

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


def main(argv: list[str]) -> int:
    """Prints a line a set of files; 1 where one is below the goal."""
    del argv
    cv2.setNumThreads(1)
    if folder := _IMAGES.value:
        paths = sorted(Path(folder).rglob("*.jpg"))[: _COUNT.value]
        sets = {folder: [path.read_bytes() for path in paths]}
    else:
        sets = {f"{w} x {h}": made(h, w, _COUNT.value) for h, w in SIZES}
    readers = {"cv2.imdecode": each(bare), "decode": each(decode)}
    ratios = []
    for name, files in sets.items():
        for data in files[:20]:
            np.testing.assert_array_equal(decode(data), bare(data))
        turns = take_turns(readers, _ROUNDS.value, files)
        rate = len(files) / np.median(turns["decode"][:, 1])
        print(f"{name}, {rate:,.0f} images a second; ", end="")
        ratios.append(show_ratio(turns, "decode", "cv2.imdecode", GOAL))
    return int(min(ratios) < GOAL)


if __name__ == "__main__":
    app.run(main)
