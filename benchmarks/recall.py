"""Recall at full size against this machine's float32 matrix peak.

`mgtl_tf.metrics.recall` over descriptors of 7,680 numbers, at CVUSA's own size
by default. Goals: at least 0.6 of the peak, less than 1.5 GB beyond the
inputs, and less than 6 GB in all for CVACT_test's size.

    python -m benchmarks.recall
    python -m benchmarks.recall --places=92802 --queries=9280 --rounds=1
    python -m benchmarks.recall --places=90618 --queries=52605 --size=1024
        --rounds=1

The last is VIGOR's same-area test of a system of 1,024 numbers, in less than
6 GB, and a tenth of it with `--queries=5260`.

The descriptors of all places are held, of both views, in float32, as an
evaluation holds them. `--queries` ranks only so many of them, in
proportionate time. `--mining` measures the mining of hard negatives instead,
on a map where 25 m hold a few places (CVUSA's training split: 35,532).

    python -m benchmarks.recall --mining --places=35532 --rounds=1
"""

from __future__ import annotations

import numpy as np
from absl import app, flags

from benchmarks.yardstick import against_peak, random_units, unit_rows
from mgtl_tf import metrics
from mgtl_tf.datasets.hard_negatives import mine_hard_negatives
from mgtl_tf.datasets.negatives import Places

_PLACES = flags.DEFINE_integer("places", 8884, "N, places", lower_bound=2)
_QUERIES = flags.DEFINE_integer("queries", 0, "queries ranked; 0: all")
_SIZE = flags.DEFINE_integer("size", 7680, "D", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "times measured", lower_bound=1)

_MINING = flags.DEFINE_boolean("mining", False, "mine instead of ranking")

NEIGHBOURS, METRES = 32, 25.0
SQUARE_METRES_EACH = 400.0


def main(argv: list[str]) -> None:
    """Measures and prints."""
    del argv
    rng = np.random.default_rng(0)
    size = _SIZE.value
    gallery = random_units(_PLACES.value, size, rng)
    queries = random_units(_PLACES.value, size, rng)
    # Near their places, and not always nearest, at any D.
    queries *= 15 * (size / 7680) ** 0.5
    queries += gallery
    asked = unit_rows(queries)[: _QUERIES.value or None]
    side = (len(gallery) * SQUARE_METRES_EACH) ** 0.5
    where = rng.uniform(0, side, (len(gallery), 2))
    places = Places(np.arange(len(gallery)), where, METRES)

    def recall() -> None:
        result = metrics.recall(asked, gallery, np.arange(len(asked)))
        print(f"r@1 {result['r@1']:.4f}, ties {result['ties']}")

    against_peak(
        f"{len(asked)} x {len(gallery)}, D = {size}",
        (lambda: mine_hard_negatives(queries, gallery, places, NEIGHBOURS))
        if _MINING.value
        else recall,
        float(len(asked)) * len(gallery) * size,
        _ROUNDS.value,
    )


if __name__ == "__main__":
    app.run(main)
