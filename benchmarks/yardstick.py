"""What benchmarks of matrix work are held against: peak rate and memory."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

PEAK_SIDE = 4096


def peak_rate() -> float:
    """Rate of a well-shaped float32 matrix product in NumPy, FLOP/s.

    The best of a few. Its matrices are given back: memory is measured too.
    """
    shape = (PEAK_SIDE, PEAK_SIDE)
    factor = np.random.default_rng(1).standard_normal(shape, np.float32)
    product = np.empty_like(factor)
    best = np.inf
    for _ in range(5):
        began = time.perf_counter()
        np.matmul(factor, factor, out=product)
        best = min(best, time.perf_counter() - began)
    return 2.0 * PEAK_SIDE**3 / best


def unit_rows(x: np.ndarray) -> np.ndarray:
    """The rows [n, D], made unit vectors in place."""
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


def forget_resident_peak() -> int:
    """Starts the kernel's record of the largest memory afresh (Linux).

    Returns:
        the bytes that are resident now.
    """
    Path("/proc/self/clear_refs").write_text("5")
    return resident_bytes("VmRSS")


def resident_bytes(name: str) -> int:
    """VmRSS (now) or VmHWM (at most, so far) of this process (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])
