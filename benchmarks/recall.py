"""Recall at full size against this machine's float32 matrix peak.

Prints the rate of `mgtl_tf.metrics.recall` over CVUSA's own size, 8,884 x
8,884 descriptors of 7,680 numbers, as a share of the best rate of a bare
NumPy matrix product, measured before, between and after its runs. Goals: at
least 0.6 of the peak, less than 1.5 GB beyond the inputs (Linux).

    python -m benchmarks.recall
"""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np

from mgtl_tf import metrics

PLACES, SIZE = 8884, 7680
PEAK_SIDE = 4096
ROUNDS = 3


def main() -> None:
    """Measures and prints."""
    queries, gallery = _pair(np.random.default_rng(0))
    product = _Product()
    rates, peaks = [], [product.rate()]
    before = _forget_resident_peak()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        result = metrics.recall(queries, gallery)
        seconds = time.perf_counter() - began
        rates.append(2.0 * PLACES * PLACES * SIZE / seconds)
        peaks.append(product.rate())
    resident = _status("VmHWM") - before
    best, peak = max(rates), max(peaks)
    print(f"recall, {PLACES} x {PLACES}, D = {SIZE}: {best / 1e9:.1f} GFLOP/s")
    print(f"bare float32 matrix product: {peak / 1e9:.1f} GFLOP/s")
    print(f"ratio: {best / peak:.3f} (goal: at least 0.6)")
    print(
        f"memory beyond the inputs: {_traced(queries, gallery) / 1e9:.2f} GB"
        f" traced, {resident / 1e9:.2f} GB resident (goal: below 1.5)"
    )
    print(f"r@1 {result['r@1']:.4f}, ties {result['ties']}")


def _pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A gallery of random unit vectors, and queries near their places."""
    gallery = _unit(rng.standard_normal((PLACES, SIZE), np.float32))
    noise = _unit(rng.standard_normal((PLACES, SIZE), np.float32))
    return _unit(gallery + 15 * noise), gallery


def _unit(x: np.ndarray) -> np.ndarray:
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


class _Product:
    """A well-shaped matrix product, the yardstick."""

    def __init__(self) -> None:
        shape = (PEAK_SIDE, PEAK_SIDE)
        self._a = np.random.default_rng(1).standard_normal(shape, np.float32)
        self._out = np.empty_like(self._a)

    def rate(self) -> float:
        """Best of a few products, FLOP/s."""
        best = np.inf
        for _ in range(5):
            began = time.perf_counter()
            np.matmul(self._a, self._a, out=self._out)
            best = min(best, time.perf_counter() - began)
        return 2.0 * PEAK_SIDE**3 / best


def _forget_resident_peak() -> int:
    """Starts the kernel's record of the largest memory afresh (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def _traced(queries: np.ndarray, gallery: np.ndarray) -> int:
    tracemalloc.start()
    metrics.recall(queries, gallery)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    main()
