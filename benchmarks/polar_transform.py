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
from benchmarks.yardstick import timed
from polar.geometry import sampling_grid

SIDE, HEIGHT, WIDTH = 750, 112, 616
ROUNDS, CALLS = 60, 10


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
    contestants = {
        "polar_transform": polar.polar_transform,
        "plain NumPy": plain_gather,
        "bare cv2.remap": lambda x: cv2.remap(x, *maps, cv2.INTER_LINEAR),
    }
    goals = {"plain NumPy": 40, "bare cv2.remap": 0.85}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, function in contestants.items():
            calls = 1 if name == "plain NumPy" else CALLS
            _, (_, seconds) = timed(list, map(function, [image] * calls))
            times[name].append(seconds / calls)
    median = {name: float(np.median(t)) for name, t in times.items()}
    for name, value in median.items():
        print(f"{name}: {1000 * value:.3f} ms")
    for name, goal in goals.items():
        ratio = median[name] / median["polar_transform"]
        print(f"{ratio:.2f} times the rate of {name} (goal {goal})")


if __name__ == "__main__":
    app.run(main)
