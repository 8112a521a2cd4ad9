"""What benchmarks of matrix work are held against: peak rate."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

PEAK_SIDE = 4096


def peak_rate(clock: Callable[[], float] = time.perf_counter) -> float:
    """Rate of a well-shaped float32 matrix product in NumPy, FLOP/s.

    The best of a few. Its matrices are given back: memory is measured too.

    Args:
        clock: tells seconds; `time.process_time` those of all its threads,
            which a busy machine does not stretch.
    """
    shape = (PEAK_SIDE, PEAK_SIDE)
    factor = np.random.default_rng(1).standard_normal(shape, np.float32)
    product = np.empty_like(factor)
    best = np.inf
    for _ in range(5):
        began = clock()
        np.matmul(factor, factor, out=product)
        best = min(best, clock() - began)
    return 2.0 * PEAK_SIDE**3 / best


def unit_rows(x: np.ndarray) -> np.ndarray:
    """The rows [n, D], made unit vectors in place."""
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x
