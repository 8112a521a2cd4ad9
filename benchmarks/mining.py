"""Mining hard negatives at the size of CVUSA's training split.

Prints the rate of `mine_hard_negatives` for 35,532 random unit descriptors
of 7,680 numbers a view (float32, 1.1 GB each; made block by block from a
seed), on a map where 25 m hold a few places, as a share of the best rate of a
bare NumPy matrix product of the same run, and the memory beyond the inputs.
`--places` takes fewer.

    python -m benchmarks.mining [--places=35532]
"""

from __future__ import annotations

import time

import numpy as np
from absl import app, flags

from benchmarks.yardstick import peak_rate, unit_rows
from mgtl_tf.datasets.hard_negatives import mine_hard_negatives
from mgtl_tf.utils.processes import forget_resident_peak, resident_bytes

_PLACES = flags.DEFINE_integer("places", 35_532, "N", lower_bound=2)

SIZE, NEIGHBOURS, METRES = 7680, 32, 25.0
BLOCK_ROWS = 1024
SQUARE_METRES_EACH = 400.0


def main(argv: list[str]) -> None:
    """Measures and prints."""
    del argv
    count = _PLACES.value
    rng = np.random.default_rng(0)
    ground, satellite = _descriptors(count, rng), _descriptors(count, rng)
    side = (count * SQUARE_METRES_EACH) ** 0.5
    positions = rng.uniform(0, side, (count, 2))
    peak, before = peak_rate(), forget_resident_peak()
    began = time.perf_counter()
    mine_hard_negatives(ground, satellite, positions, METRES, NEIGHBOURS)
    seconds = time.perf_counter() - began
    memory = resident_bytes("VmHWM") - before
    peak = max(peak, peak_rate())
    rate = 2.0 * count * count * SIZE / seconds
    print(
        f"{seconds:.0f} s for {count} places, D = {SIZE}:"
        f" {rate / 1e9:.1f} of {peak / 1e9:.1f} GFLOP/s,"
        f" ratio {rate / peak:.3f}; {memory / 1e9:.2f} GB beyond the"
        f" inputs of {2 * ground.nbytes / 1e9:.2f} GB"
    )


def _descriptors(count: int, rng: np.random.Generator) -> np.ndarray:
    """Random unit vectors [N, D], float32."""
    descriptors = np.empty((count, SIZE), np.float32)
    for start in range(0, count, BLOCK_ROWS):
        rows = descriptors[start : start + BLOCK_ROWS]
        unit_rows(rng.standard_normal(out=rows, dtype=np.float32))
    return descriptors


if __name__ == "__main__":
    app.run(main)
