"""Recall at full size against this machine's float32 matrix peak.

Prints the rate of `mgtl_tf.metrics.recall` over descriptors of 7,680 numbers
as a share of the best rate of a bare NumPy matrix product, measured before,
between and after its runs, and the memory it took. CVUSA's own size by
default; goals: at least 0.6 of the peak, less than 1.5 GB beyond the inputs,
and less than 6 GB in all for CVACT_test's size (Linux).

    python -m benchmarks.recall
    python -m benchmarks.recall --places=92802 --queries=9280 --rounds=1

The descriptors of all places are held, of both views, in float32, as an
evaluation holds them. `--queries` ranks only so many of them, in
proportionate time.
"""

from __future__ import annotations

import numpy as np
from absl import app, flags

from benchmarks.yardstick import peak_rate, random_units, timed, unit_rows
from mgtl_tf import metrics
from mgtl_tf.utils.memory import forget_resident_peak, resident_bytes

_PLACES = flags.DEFINE_integer("places", 8884, "N, places", lower_bound=2)
_QUERIES = flags.DEFINE_integer("queries", 0, "queries ranked; 0: all")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "times measured", lower_bound=1)

SIZE = 7680


def main(argv: list[str]) -> None:
    """Measures and prints."""
    del argv
    rng = np.random.default_rng(0)
    gallery = random_units(_PLACES.value, SIZE, rng)
    queries = random_units(_PLACES.value, SIZE, rng)
    queries *= 15  # near their places, and not always nearest
    queries += gallery
    asked = unit_rows(queries)[: _QUERIES.value or None]
    work = 2.0 * len(asked) * len(gallery) * SIZE
    rates, peaks, most = [], [peak_rate()], 0
    before = resident_bytes("VmRSS")
    for _ in range(_ROUNDS.value):
        forget_resident_peak()
        result, seconds = timed(
            metrics.recall, asked, gallery, np.arange(len(asked))
        )
        rates.append(work / seconds)
        most = max(most, resident_bytes("VmHWM"))
        peaks.append(peak_rate())
    best, peak = np.max(rates, axis=0), np.max(peaks, axis=0)
    ratio = best / peak
    print(
        f"recall, {len(asked)} x {len(gallery)}, D = {SIZE}:"
        f" {best[0] / 1e9:.1f} of {peak[0] / 1e9:.1f} GFLOP/s of a bare matrix"
        " product"
    )
    print(
        f"ratio: {ratio[0]:.3f} by the clock, {ratio[1]:.3f} by processor time"
        " (goal: at least 0.6)"
    )
    print(
        f"memory: {(most - before) / 1e9:.2f} GB beyond the inputs (goal: below"
        f" 1.5); in all, inputs of {2 * gallery.nbytes / 1e9:.2f} GB and Python"
        f" included: {most / 1e9:.2f} GB"
    )
    print(f"r@1 {result['r@1']:.4f}, ties {result['ties']}")


if __name__ == "__main__":
    app.run(main)
