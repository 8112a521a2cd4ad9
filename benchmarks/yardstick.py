"""What benchmarks share: two clocks, the matrix peak, and made data."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PEAK_SIDE = 4096
GIGA_MACS_FORWARD = 42.3
"""Of VGG-16 for a pair at 112 x 616; the transformers come on top."""
_BLOCK_ROWS = 1024


def now() -> np.ndarray:
    """Seconds of the clock, and of the processors in this and ended children.

    A busy machine stretches the first; the second stays what it is. [2]
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = children.ru_utime + children.ru_stime + time.process_time()
    return np.array([time.perf_counter(), spent])


def timed(
    work: Callable[..., Any], *arguments: Any, **options: Any
) -> tuple[Any, np.ndarray]:
    """The result of a call, and its seconds by both clocks, [2]."""
    began = now()
    value = work(*arguments, **options)
    return value, now() - began


def peak_rate() -> np.ndarray:
    """Rate of a well-shaped float32 matrix product in NumPy, FLOP/s, [2].

    The best of five by each clock. Its matrices are freed: memory is measured
    too.
    """
    shape = (PEAK_SIDE, PEAK_SIDE)
    factor = np.random.default_rng(1).standard_normal(shape, np.float32)
    product = np.empty_like(factor)
    seconds = [
        timed(np.matmul, factor, factor, out=product)[1] for _ in "12345"
    ]
    return 2.0 * PEAK_SIDE**3 / np.min(seconds, axis=0)


def show_ratio(
    name: str,
    baseline: Sequence[np.ndarray],
    ours: Sequence[np.ndarray],
    goal: float | None = None,
) -> None:
    """Prints the median of how many times as fast as the baseline ours is.

    Args:
        name: of the comparison.
        baseline, ours: seconds by both clocks, [2] each, of the same rounds.
        goal: what is aimed at; None: printed for comparison.
    """
    clock, processor = np.median(np.divide(baseline, ours), axis=0)
    aim = f"goal {goal}" if goal else "for comparison"
    print(
        f"{name}: {clock:.2f} by the clock, {processor:.2f} by processor time"
        f" ({aim})"
    )


def unit_rows(x: np.ndarray) -> np.ndarray:
    """The rows [n, D], made unit vectors in place."""
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


def random_units(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Random unit vectors, float32 [count, size], made block by block."""
    made = np.empty((count, size), np.float32)
    for start in range(0, count, _BLOCK_ROWS):
        rows = made[start : start + _BLOCK_ROWS]
        unit_rows(rng.standard_normal(out=rows, dtype=np.float32))
    return made


def cvusa_size_world(folder: Path, pairs: int) -> Path:
    """A synthetic world whose pictures have CVUSA's sizes.

    Aerial images of 750 x 750, panoramas of 224 x 1232; one pair in twenty is
    for validation.
    """
    # A process that decodes imports this file: the world is not needed there.
    from mgtl_tf.synthetic.settings import WorldSettings
    from mgtl_tf.workflows.world import make_world
    from polar.parallel import usable_cores

    validation = max(2, pairs // 20)
    settings = WorldSettings(
        train_pairs=pairs - validation,
        val_pairs=validation,
        aerial_size=750,
        ground_height=224,
        ground_width=1232,
    )
    make_world(settings, folder, usable_cores(), progress=True)
    return folder
