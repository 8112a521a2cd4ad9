"""How time and memory grow with size, and what ten times as much would take.

    python -m benchmarks.scaling [--works=search,mining] [--sizes=1000,4000]
    python -m benchmarks.scaling --full

Works, by default all: evaluation (recall of N panoramas among N places),
mining (hard negatives of N places), search (one query, exactly, among N places
whose descriptors are mapped from disk), index (a gallery of N images that cost
nothing: what is not the network), training (a step by batch), Milvus (filling a
collection of Milvus Lite) and Ray (64 images by the shipped model, by workers).
Descriptors are made: 512 numbers, in search 128. Each size has a process of its
own. Prints a line a size, a line a work, and all as JSON in the last line, of
which `experiments.tables --publish` makes docs/many_machines.md's tables and
plots. --full needs 6 GB of disk and about 8 minutes of two quiet cores; --quick
is for tests.
"""

from __future__ import annotations

import dataclasses
import json
from functools import partial

from absl import app, flags

from benchmarks.scaling_meter import Work, measured
from benchmarks.scaling_works import (
    IMAGES,
    MODEL,
    SEARCHED,
    SIZE,
    WORKS,
)
from benchmarks.yardstick import in_new_process
from mgtl_tf.export.model_folder import read_details
from mgtl_tf.export.shipped import model_folder
from mgtl_tf.reproduction.measured.scaling import Curve, Scaling, growth_rows

USUAL = {
    "evaluation": (1000, 2000, 4000),
    "mining": (1000, 2000, 4000),
    "search": (10_000, 100_000),
    "index": (1000, 4000),
    "training": (4, 8),
    "Milvus": (500, 1000),
    "Ray": (1, 2),
}
FULL = {
    "evaluation": (1000, 4000, 16_000, 45_000, 90_000),
    "mining": (5000, 12_000, 36_000),
    "search": (10_000, 100_000, 1_000_000, 10_000_000),
    "index": (1000, 10_000, 100_000),
    "training": (8, 16, 32, 64),
    "Milvus": (2000, 10_000, 50_000),
    "Ray": (1, 2),
}
QUICK = {
    "evaluation": (40, 80),
    "mining": (40, 80),
    "search": (40, 80),
    "index": (40, 80),
}

_WORKS = flags.DEFINE_list("works", None, "which; default: all")
_SIZES = flags.DEFINE_list("sizes", None, "of one work that is named")
_FULL = flags.DEFINE_boolean("full", False, "the sizes of the docs")
_QUICK = flags.DEFINE_boolean(
    "quick", False, "smallest sizes of works that need no library"
)


def measure(name: str, unit: str, work: Work, sizes: list[int]) -> Curve:
    """A work's curve; prints a line a size."""
    curve = Curve(name, unit, sizes, [], [])
    for size in sizes:
        # What one size leaves in memory would hide what the next one takes.
        alone = measured if _QUICK.value else partial(in_new_process, measured)
        seconds, memory = alone(work, size)
        curve.seconds.append(round(seconds, 6))
        # Less than two pages are not seen.
        curve.megabytes.append(round(max(memory / 1e6, 0.01), 2))
        print(
            f"{name}, {size:,} {unit}: {seconds:.4g} s, {memory / 1e6:,.0f} MB",
            flush=True,
        )
    return curve


def chosen_sizes() -> dict[str, list[int]]:
    """Work to sizes, as the flags say."""
    usual = FULL if _FULL.value else QUICK if _QUICK.value else USUAL
    names = _WORKS.value or list(usual)
    if unknown := [name for name in names if name not in usual]:
        raise app.UsageError(f"--works={unknown[0]}: not of {', '.join(usual)}")
    if _SIZES.value and len(names) > 1:
        raise app.UsageError("--sizes: needs one work, named by --works")
    return {
        name: sorted(map(int, _SIZES.value or usual[name])) for name in names
    }


def main(argv: list[str]) -> None:
    """Measures and prints."""
    del argv
    curves = [
        measure(name, *WORKS[name], sizes)
        for name, sizes in chosen_sizes().items()
    ]
    facts: dict[str, float] = {"size": SEARCHED, "filled_size": SIZE}
    if any(curve.work == "Ray" for curve in curves):
        dimension = read_details(model_folder(MODEL))["dimension"]
        facts |= {"ray_images": IMAGES, "descriptor_bytes": 4 * dimension}
    found = Scaling(curves, facts)
    for row in growth_rows(found)[2:]:
        work, _, _, time, _, memory, more = row
        print(f"{work}: time {time}, memory {memory}; ten times: {more}")
    print(json.dumps(dataclasses.asdict(found)))


if __name__ == "__main__":
    app.run(main)
