"""What benchmarks share: turns by two clocks, the matrix peak, made data."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.utils.memory import forget_resident_peak, resident_bytes

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


def take_turns(
    functions: Mapping[str, Callable[..., Any]], rounds: int, *arguments: Any
) -> dict[str, np.ndarray]:
    """Seconds of each call by both clocks, [rounds, 2]; all once a round."""
    taken: dict[str, list[np.ndarray]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            taken[name].append(timed(function, *arguments)[1])
    return {name: np.array(seconds) for name, seconds in taken.items()}


def each(function: Callable[[Any], Any]) -> Callable[[Iterable[Any]], Any]:
    """A function of many that calls one for each."""
    return lambda items: [function(item) for item in items]


def show_ratio(
    turns: Mapping[str, np.ndarray],
    ours: str,
    baseline: str,
    goal: float | None = None,
) -> float:
    """Prints the median of how many times as fast as the baseline ours is.

    Args:
        turns: of `take_turns`.
        ours, baseline: names in it.
        goal: what is aimed at; None: printed for comparison.

    Returns:
        the ratio by processor time.
    """
    clock, processor = np.median(turns[baseline] / turns[ours], axis=0)
    aim = f"goal {goal}" if goal else "for comparison"
    print(
        f"{ours}: {clock:.3f} times as fast as {baseline} by the clock,"
        f" {processor:.3f} by processor time ({aim})"
    )
    return float(processor)


def in_new_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Its result, found by a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(function, *arguments).result()


def against_peak(
    name: str, work: Callable[[], Any], products: float, rounds: int
) -> None:
    """Prints a call's share of the matrix peak, and its memory (Linux).

    Args:
        name: of the call.
        work: what is measured.
        products: multiply-adds that it is made of.
        rounds: how often; the best counts.
    """
    before, memory, peaks, rates = resident_bytes("VmRSS"), 0, [peak_rate()], []
    for _ in range(rounds):
        forget_resident_peak()
        _, seconds = timed(work)
        rates.append(2 * products / seconds)
        memory = max(memory, resident_bytes("VmHWM"))
        peaks.append(peak_rate())
    best, peak = np.max(rates, axis=0), np.max(peaks, axis=0)
    clock, processor = best / peak
    print(
        f"{name}: {best[0] / 1e9:.1f} of {peak[0] / 1e9:.1f} GFLOP/s of a bare"
        f" matrix product; ratio {clock:.3f} by the clock, {processor:.3f} by"
        f" processor time; {(memory - before) / 1e9:.2f} GB beyond the inputs,"
        f" {memory / 1e9:.2f} GB in all"
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
