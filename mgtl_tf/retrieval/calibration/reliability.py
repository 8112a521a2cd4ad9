"""How far confidences keep their word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 10
"""Of the expected calibration error; all hold equally many queries."""


@dataclass(frozen=True)
class Reliability:
    """Told and true shares of right answers, in bins of equally many queries.

    Attributes:
        confidence: mean of each bin, [B].
        right: share of each bin, [B].
        counts: queries of each bin, or their weight, [B].
    """

    confidence: np.ndarray
    right: np.ndarray
    counts: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean gap between the two."""
        gaps = np.abs(self.confidence - self.right)
        return float(np.average(gaps, weights=self.counts))


def reliability(
    confidence: np.ndarray,
    right: np.ndarray,
    bins: int = BINS,
    weights: np.ndarray | None = None,
) -> Reliability:
    """How far confidences keep their word.

    Args:
        confidence: of each query, float [Q].
        right: whether its first answer was right, bool [Q].
        bins: B; fewer where there are fewer queries.
        weights: how much each query counts, above 0, [Q]; default: 1.
    """
    if weights is None:
        weights = np.ones(len(confidence), np.int64)
    order = np.argsort(confidence, kind="stable")
    # A query belongs where the middle of its weight falls.
    middle = np.cumsum(weights[order]) - weights[order] / 2
    bins = min(bins, len(order))
    number = (middle * bins / weights.sum()).astype(np.int64)
    parts = [order[number == which] for which in np.unique(number)]

    def means(values: np.ndarray) -> np.ndarray:
        return np.array(
            [np.average(values[p], weights=weights[p]) for p in parts]
        )

    counts = np.array([weights[part].sum() for part in parts])
    return Reliability(means(confidence), means(right), counts)
