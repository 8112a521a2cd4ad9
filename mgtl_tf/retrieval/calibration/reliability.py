"""How well confidences agree with the share of right answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 10
"""Of the expected calibration error; all hold equally many queries."""


@dataclass(frozen=True)
class Reliability:
    """Confidence and share of right answers, in bins of equally many queries.

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

    @property
    def mean_confidence(self) -> float:
        """Of all queries."""
        return float(np.average(self.confidence, weights=self.counts))


def reliability(
    confidence: np.ndarray,
    right: np.ndarray,
    bins: int = BINS,
    weights: np.ndarray | None = None,
) -> Reliability:
    """The reliability of some confidences.

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
    number = middle * min(bins, len(order)) / weights.sum()
    _, number = np.unique(number.astype(np.int64), return_inverse=True)

    def sums(values: np.ndarray) -> np.ndarray:
        return np.bincount(number, values[order])

    counts = sums(weights)
    return Reliability(
        sums(weights * confidence) / counts,
        sums(weights * right) / counts,
        counts,
    )
