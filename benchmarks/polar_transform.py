"""The polar transform against NumPy and against bare OpenCV, on one core.

    python -m benchmarks.polar_transform

750 x 750 to 112 x 616. The plain NumPy baseline is the written equation:
positions, weights and four gathers in every call. Bare OpenCV is `cv2.remap`
with ready float32 maps. They take turns, and what is measured is processor
time, so that a busy machine slows all alike.
"""

from __future__ import annotations

import cv2
import numpy as np
from absl import app

import polar
from benchmarks.yardstick import each, show_ratio, take_turns
from polar.geometry import sampling_grid

SIDE, HEIGHT, WIDTH = 750, 112, 616
ROUNDS, CALLS = 20, 10


def plain_gather(image: np.ndarray) -> np.ndarray:
    """Positions, weights and four gathers, all in this call."""
    rows, columns = sampling_grid(SIDE, HEIGHT, WIDTH)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    below, right = (rows - top)[..., None], (columns - left)[..., None]
    bottom = np.minimum(top + 1, SIDE - 1)
    beside = np.minimum(left + 1, SIDE - 1)
    result = (
        image[top, left] * (1 - below) * (1 - right)
        + image[top, beside] * (1 - below) * right
        + image[bottom, left] * below * (1 - right)
        + image[bottom, beside] * below * right
    )
    return np.rint(result).astype(np.uint8)


def main(argv: list[str]) -> None:
    """Prints the three times and both ratios."""
    del argv
    cv2.setNumThreads(1)
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    rows, columns = sampling_grid(SIDE, HEIGHT, WIDTH)
    maps = columns.astype(np.float32), rows.astype(np.float32)
    functions = {
        "polar_transform": each(polar.polar_transform),
        "plain NumPy": each(plain_gather),
        "cv2.remap": each(lambda x: cv2.remap(x, *maps, cv2.INTER_LINEAR)),
    }
    turns = take_turns(functions, ROUNDS, [image] * CALLS)
    for name, seconds in turns.items():
        print(f"{name}: {1000 * np.median(seconds[:, 1]) / CALLS:.3f} ms")
    show_ratio(turns, "polar_transform", "plain NumPy", 40)
    show_ratio(turns, "polar_transform", "cv2.remap", 0.85)


if __name__ == "__main__":
    app.run(main)
