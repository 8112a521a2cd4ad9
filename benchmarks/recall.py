"""Recall at full size against this machine's float32 matrix peak.

Prints the rate of `mgtl_tf.metrics.recall` over descriptors of 7,680 numbers
as a share of the best rate of a bare NumPy matrix product, measured before,
between and after its runs, and the memory it took. CVUSA's own size by
default; goals: at least 0.6 of the peak, less than 1.5 GB beyond the inputs,
and less than 6 GB in all for CVACT_test's size (Linux).

    python -m benchmarks.recall
    python -m benchmarks.recall --places=92802 --queries=9280 --rounds=1

The descriptors of all places are held, of both views, in float32, as an
evaluation holds them: made block by block from a seed. `--queries` ranks only
so many of them, in proportionate time.
"""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
from absl import app, flags

from benchmarks.yardstick import peak_rate, unit_rows
from mgtl_tf import metrics
from mgtl_tf.utils.processes import forget_resident_peak, resident_bytes

_PLACES = flags.DEFINE_integer("places", 8884, "N, places", lower_bound=2)
_QUERIES = flags.DEFINE_integer("queries", 0, "queries ranked; 0: all")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "times measured", lower_bound=1)

SIZE = 7680
BLOCK_ROWS = 1024
TRACED_PLACES = 10_000
# A busy machine stretches the first; the second stays what it is.
CLOCKS = time.perf_counter, time.process_time


def main(argv: list[str]) -> None:
    """Measures and prints."""
    del argv
    queries, gallery = _pair(_PLACES.value)
    queries = queries[: _QUERIES.value or None]
    truth = np.arange(len(queries))
    work = 2.0 * len(queries) * len(gallery) * SIZE
    rates, peaks, most = [], [_peaks()], 0
    before = resident_bytes("VmRSS")
    for _ in range(_ROUNDS.value):
        forget_resident_peak()
        began = _now()
        result = metrics.recall(queries, gallery, truth)
        rates.append(work / (_now() - began))
        most = max(most, resident_bytes("VmHWM"))
        peaks.append(_peaks())
    best, peak = np.max(rates, axis=0), np.max(peaks, axis=0)
    ratio = best / peak
    print(
        f"recall, {len(queries)} x {len(gallery)}, D = {SIZE}:"
        f" {best[0] / 1e9:.1f} GFLOP/s"
    )
    print(f"bare float32 matrix product: {peak[0] / 1e9:.1f} GFLOP/s")
    print(
        f"ratio: {ratio[0]:.3f} by the clock, {ratio[1]:.3f} by processor time"
        " (goal: at least 0.6)"
    )
    print(
        "memory beyond the inputs:"
        f" {(most - before) / 1e9:.2f} GB resident (goal: below 1.5); in all,"
        f" inputs of {2 * gallery.nbytes / 1e9:.2f} GB and Python included:"
        f" {most / 1e9:.2f} GB"
    )
    if len(gallery) <= TRACED_PLACES:
        print(f"traced: {_traced(queries, gallery, truth) / 1e9:.2f} GB")
    print(f"r@1 {result['r@1']:.4f}, ties {result['ties']}")


def _now() -> np.ndarray:
    """Seconds of each clock, [2]."""
    return np.array([clock() for clock in CLOCKS])


def _peaks() -> np.ndarray:
    """The matrix peak by each clock, FLOP/s, [2]."""
    return np.array([peak_rate(clock) for clock in CLOCKS])


def _pair(places: int) -> tuple[np.ndarray, np.ndarray]:
    """A gallery of random unit vectors, and queries near their places."""
    rng = np.random.default_rng(0)
    queries = np.empty((places, SIZE), np.float32)
    gallery = np.empty_like(queries)
    for start in range(0, places, BLOCK_ROWS):
        rows = gallery[start : start + BLOCK_ROWS]
        unit_rows(rng.standard_normal(out=rows, dtype=np.float32))
        noise = unit_rows(rng.standard_normal(rows.shape, np.float32))
        queries[start : start + BLOCK_ROWS] = unit_rows(rows + 15 * noise)
    return queries, gallery


def _traced(queries: np.ndarray, gallery: np.ndarray, truth: np.ndarray) -> int:
    tracemalloc.start()
    metrics.recall(queries, gallery, truth)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    app.run(main)
