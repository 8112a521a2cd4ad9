"""Mining hard negatives at the size of CVUSA's training split.

Prints the rate of `mine_hard_negatives` for 35,532 random unit descriptors
of 7,680 numbers a view (float32, 1.1 GB each), on a map where 25 m hold a few
places, as a share of the best rate of a bare NumPy matrix product of the same
run, and the memory beyond the inputs. `--places` takes fewer.

    python -m benchmarks.mining [--places=35532]
"""

from __future__ import annotations

import numpy as np
from absl import app, flags

from benchmarks.yardstick import peak_rate, random_units, timed
from mgtl_tf.datasets.hard_negatives import mine_hard_negatives
from mgtl_tf.datasets.negatives import Places
from mgtl_tf.utils.memory import forget_resident_peak, resident_bytes

_PLACES = flags.DEFINE_integer("places", 35_532, "N", lower_bound=2)

SIZE, NEIGHBOURS, METRES = 7680, 32, 25.0
SQUARE_METRES_EACH = 400.0


def main(argv: list[str]) -> None:
    """Measures and prints."""
    del argv
    count, rng = _PLACES.value, np.random.default_rng(0)
    views = [random_units(count, SIZE, rng) for _ in range(2)]
    side = (count * SQUARE_METRES_EACH) ** 0.5
    positions = rng.uniform(0, side, (count, 2))
    peak, before = peak_rate(), forget_resident_peak()
    places = Places(np.arange(count), positions, METRES)
    _, (seconds, _) = timed(mine_hard_negatives, *views, places, NEIGHBOURS)
    memory = resident_bytes("VmHWM") - before
    best = np.maximum(peak, peak_rate())[0]
    rate = 2.0 * count * count * SIZE / seconds
    print(
        f"{seconds:.0f} s for {count} places, D = {SIZE}:"
        f" {rate / 1e9:.1f} of {best / 1e9:.1f} GFLOP/s, ratio"
        f" {rate / best:.3f}; {memory / 1e9:.2f} GB beyond the inputs of"
        f" {2 * views[0].nbytes / 1e9:.2f} GB"
    )


if __name__ == "__main__":
    app.run(main)
