"""Whether a difference of two rows is more than noise: a paired bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000


@dataclass(frozen=True)
class Difference:
    """r@1 of one row less that of another, as fractions.

    Attributes:
        mean: over seeds and queries.
        low, high: 95 % interval over resampled queries.
        standard_error: over seeds; None with fewer than two seeds.
    """

    mean: float
    low: float
    high: float
    standard_error: float | None

    @property
    def is_significant(self) -> bool:
        """Whether the difference is more than queries and seeds explain.

        The interval leaves out zero, and the difference is more than twice
        the standard error over seeds. Never so with a single seed.
        """
        if self.standard_error is None or self.low <= 0 <= self.high:
            return False
        return abs(self.mean) > 2 * self.standard_error


def paired_difference(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray]
) -> Difference:
    """r@1 of `first` less that of `second`, by a paired bootstrap.

    A query is drawn together with its answers in all runs of both rows, so
    what is hard for both cancels out.

    Args:
        first, second: ranks of the same queries, from 1, int [Q]; one array
            a seed.

    Raises:
        ValueError: for rows without a run, or runs of other queries.
    """
    # Not at import: scipy.stats takes half a second.
    from scipy import stats

    if not first or not second:
        raise ValueError("a row without a run has no recall")
    if len({len(ranks) for ranks in (*first, *second)}) != 1:
        raise ValueError("the rows were measured on different queries")
    hits = [(np.stack(runs) == 1).astype(float) for runs in (first, second)]
    gains = hits[0].mean(axis=0) - hits[1].mean(axis=0)  # [Q]
    low = high = mean = float(gains.mean())
    if np.ptp(gains):  # SciPy has no interval of a constant
        low, high = stats.bootstrap(
            (gains,),
            np.mean,
            n_resamples=RESAMPLES,
            batch=500,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
    error = None
    if min(len(first), len(second)) > 1:
        recalls = (row.mean(axis=1) for row in hits)  # [seeds]
        variance = sum(r.var(ddof=1) / len(r) for r in recalls)
        error = float(variance**0.5)
    return Difference(mean, float(low), float(high), error)
