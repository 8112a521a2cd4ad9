"""Is a difference of two rows more than noise? A paired bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
_CHUNK = 500


@dataclass(frozen=True)
class Difference:
    """r@1 of one row less that of another, as fractions.

    Attributes:
        mean: over seeds and queries.
        low, high: of the middle 95 % of resamples of the queries.
        spread: standard error that seeds alone explain, from the rows'
            standard deviations over seeds; NaN with fewer than two seeds.
    """

    mean: float
    low: float
    high: float
    spread: float

    @property
    def beyond_queries(self) -> bool:
        """Whether the interval over resampled queries leaves out zero."""
        return self.low > 0 or self.high < 0

    @property
    def beyond_noise(self) -> bool:
        """The same, and more than twice what seeds alone explain.

        Never with a single seed: its noise is not known.
        """
        return self.beyond_queries and abs(self.mean) > 2 * self.spread


def paired_difference(
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """r@1 of `first` less that of `second`, with what noise alone does.

    A query is drawn together with its answers in all runs of both rows, so
    what is hard for both cancels out. Resampling queries says nothing about
    other seeds: that is what `spread` is for.

    Args:
        first, second: ranks of the same queries, from 1, int [Q]; one array
            a seed.
        resamples: how many draws of Q queries.
        seed: of the draws.

    Raises:
        ValueError: for rows without a run, or runs of other queries.
    """
    if not first or not second:
        raise ValueError("a row without a run has no recall")
    if len({len(ranks) for ranks in (*first, *second)}) != 1:
        raise ValueError("the rows were measured on different queries")
    gains = _hits(first).mean(axis=0) - _hits(second).mean(axis=0)
    drawn = _resampled_means(gains, resamples, seed)
    low, high = np.percentile(drawn, [2.5, 97.5])
    variance = _variance_of_mean(first) + _variance_of_mean(second)
    return Difference(
        float(gains.mean()), float(low), float(high), float(variance**0.5)
    )


def _hits(runs: Sequence[np.ndarray]) -> np.ndarray:
    """1 where the first answer is right: float64 [seeds, Q]."""
    return (np.stack(runs) == 1).astype(np.float64)


def _variance_of_mean(runs: Sequence[np.ndarray]) -> float:
    """Variance of a mean over seeds; NaN for a single one."""
    recalls = _hits(runs).mean(axis=1)
    if len(recalls) < 2:
        return float("nan")
    return float(recalls.var(ddof=1) / len(recalls))


def _resampled_means(gains: np.ndarray, count: int, seed: int) -> np.ndarray:
    draws = np.random.default_rng(seed)
    means = []
    for start in range(0, count, _CHUNK):
        size = (min(_CHUNK, count - start), len(gains))
        means.append(gains[draws.integers(0, len(gains), size)].mean(axis=1))
    return np.concatenate(means)
