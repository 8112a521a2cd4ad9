"""How many pairs a second the decoded cache gives to training, and a core.

    python -m benchmarks.input_rate [--pairs=512] [--batch_size=32]

Batches as training reads them, of images of the paper's size in a cache that
is made here: as they are, and with every augmentation that acts on pixels.
Goal: 1,000 pairs a second on 16 cores, which is 62.5 of each. Printed are rates
by the clock and by processor time, bytes of a pair in the cache and in a
batch, and the memory that was taken.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from absl import app, flags

from benchmarks.yardstick import timed
from mgtl_tf.datasets.pipeline import train_batches
from mgtl_tf.datasets.sources import VIEWS, CacheSource
from mgtl_tf.utils.memory import forget_resident_peak, resident_bytes
from mgtl_tf.utils.tf_setup import load_tensorflow

_PAIRS = flags.DEFINE_integer("pairs", 512, "pairs of the cache", 2)
_BATCH = flags.DEFINE_integer("batch_size", 32, "pairs a batch", 2)
_BATCHES = flags.DEFINE_integer("batches", 64, "timed batches", 1)

SIZE = 112, 616
GOAL = 1000 / 16
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "as they are": {"augment": False},
    "augmented": {
        "augment": True,
        "color_jitter": 0.3,
        "blur": 1.0,
        "jpeg_quality": 60,
    },
}


def write_cache(folder: Path, pairs: int) -> CacheSource:
    """Noise of both views, as a decoded cache holds it."""
    noise = np.random.default_rng(0)
    for view in VIEWS:
        rows = np.lib.format.open_memmap(
            folder / f"{view}.npy", "w+", "|u1", (pairs, *SIZE, 3)
        )
        for row in rows:
            row[:] = noise.integers(0, 256, row.shape, np.uint8)
        rows.flush()
    return CacheSource(folder)


def measure(name: str, source: CacheSource, changes: Mapping[str, Any]) -> None:
    """Prints the rates of one kind of batches."""
    random, size = np.random.default_rng(0), _BATCH.value
    rows = random.integers(0, len(source), (_BATCHES.value, size))
    before = forget_resident_peak()

    def read(steps: int) -> int:
        """Reads batches anew; bytes of a pair in the last one."""
        batches = train_batches(
            source, rows[:steps], seed=0, epoch=0, **changes
        )
        for batch in batches:
            held = sum(batch[view].numpy().nbytes for view in VIEWS)
        return held // size

    read(1)
    # From the beginning: nothing is prefetched before the clock starts.
    held, seconds = timed(read, len(rows))
    clock, core = size * len(rows) / seconds
    # Pages of the cache count too: the system may take them back.
    memory = (resident_bytes("VmHWM") - before) / 1e6
    print(
        f"{name}: {clock:,.0f} pairs a second by the clock, {core:,.1f} a"
        f" second of one core (goal {GOAL}); {held:,} bytes a pair in a batch;"
        f" {memory:,.0f} MB taken"
    )


def main(argv: list[str]) -> None:
    """Prints a line a kind of batches."""
    del argv
    load_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        source = write_cache(Path(folder), _PAIRS.value)
        size = sum(array[0].nbytes for array in source.arrays.values())
        print(f"{size:,} bytes a pair in the cache, {SIZE[0]} x {SIZE[1]}")
        for name, changes in CHANGES.items():
            measure(name, source, changes)


if __name__ == "__main__":
    app.run(main)
