"""The polar transform against NumPy and against bare OpenCV, on one core.

    python -m benchmarks.polar_transform

750 x 750 to 112 x 616. The plain NumPy baseline is the written equation:
positions, weights and four gathers in every call. A second one has positions
and weights ready, as `polar_transform` has its maps. Bare OpenCV is
`cv2.remap` with ready float32 maps. They take turns, and what is measured is
the thread's own processor time, so that a busy machine slows all alike.
"""

from __future__ import annotations

import time

import cv2
import numpy as np
from absl import app

import polar
from polar.geometry import sampling_grid

SIDE, HEIGHT, WIDTH = 750, 112, 616
ROUNDS = 60


def prepared_gather(rows, columns):
    """A function that warps an image by four gathers and ready weights."""
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    below, right = (rows - top)[..., None], (columns - left)[..., None]
    bottom = np.minimum(top + 1, SIDE - 1)
    beside = np.minimum(left + 1, SIDE - 1)

    def warp(image):
        result = (
            image[top, left] * (1 - below) * (1 - right)
            + image[top, beside] * (1 - below) * right
            + image[bottom, left] * below * (1 - right)
            + image[bottom, beside] * below * right
        )
        return np.rint(result).astype(np.uint8)

    return warp


def plain_gather(image):
    """Positions, weights and gathers, all in this call."""
    return prepared_gather(*sampling_grid(SIDE, HEIGHT, WIDTH))(image)


def opencv_remap(rows, columns):
    """A function that warps an image by cv2.remap and nothing else."""
    maps = columns.astype(np.float32), rows.astype(np.float32)
    return lambda image: cv2.remap(image, *maps, cv2.INTER_LINEAR)


def seconds(function, image, repeats) -> float:
    """Mean processor time of one call."""
    began = time.thread_time()
    for _ in range(repeats):
        function(image)
    return (time.thread_time() - began) / repeats


def main(argv: list[str]) -> None:
    """Prints the three times and both ratios."""
    del argv
    cv2.setNumThreads(1)
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    grid = sampling_grid(SIDE, HEIGHT, WIDTH)
    contestants = {
        "polar_transform": (polar.polar_transform, 10),
        "plain NumPy": (plain_gather, 1),
        "NumPy, positions ready": (prepared_gather(*grid), 1),
        "bare cv2.remap": (opencv_remap(*grid), 10),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, (function, repeats) in contestants.items():
            times[name].append(seconds(function, image, repeats))
    median = {name: float(np.median(t)) for name, t in times.items()}
    for name, value in median.items():
        print(f"{name}: {1000 * value:.3f} ms")
    own = median["polar_transform"]
    for name, goal in (
        ("plain NumPy", "goal 40"),
        ("NumPy, positions ready", "for comparison"),
        ("bare cv2.remap", "goal 0.85"),
    ):
        print(f"{median[name] / own:.2f} times the rate of {name} ({goal})")


if __name__ == "__main__":
    app.run(main)
