"""Fitting a confidence to queries whose place is known, and judging it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.optimize import minimize_scalar
from scipy.spatial import cKDTree
from scipy.special import expit

from mgtl_tf.retrieval.confidence import Confidence
from mgtl_tf.retrieval.confidence import log_odds

FOLDS = 5
"""Parts of the map, each predicted from the others."""

BINS = 10
"""Of the expected calibration error; all hold equally many queries."""

_SHARPNESS = (1.0, 1e4)
# Standard deviations of how far slopes may stray from "no correction", with
# the features' own spread as the unit: ten queries leave them, fifty do not.
_STRAYING = 3.0


@dataclass(frozen=True)
class Evidence:
    """What queries of known place got.

    Attributes:
        similarities: of the K best answers, float [Q, K], highest first.
        near: which of them lie within R metres of the first, bool [Q, K].
        right: whether the first lies within R metres of the query, bool [Q].
    """

    similarities: np.ndarray
    near: np.ndarray
    right: np.ndarray

    def __len__(self) -> int:
        """How many queries, Q."""
        return len(self.right)

    def part(self, queries: np.ndarray) -> Evidence:
        """Those of some queries, bool or int [q]."""
        return Evidence(
            self.similarities[queries], self.near[queries], self.right[queries]
        )


def fit(evidence: Evidence) -> Confidence:
    """The confidence under which the evidence is the most probable.

    First the sharpness alone, then the correction, which a normal prior
    holds near none: few queries change little.

    Args:
        evidence: with right and wrong answers.
    """
    sharpness = _fit_sharpness(evidence)
    odds = log_odds(evidence.similarities, evidence.near, sharpness)
    first = evidence.similarities[:, 0].astype(np.float64)
    spread = max(float(first.std()), 1e-6)
    centred = (first - first.mean()) / spread
    features = np.stack([np.ones_like(odds), odds, centred], axis=1)
    offsets, weights = features @ [0.0, 1.0, 0.0], np.zeros(3)
    scales = _STRAYING * np.array([1.0, 0.5, 1.0])
    weights = minimize(
        _loss,
        weights,
        (features * scales, offsets, evidence.right),
        jac=True,
        method="BFGS",
    ).x
    intercept, slope, similarity_slope = weights * scales
    return Confidence(
        sharpness,
        float(intercept - similarity_slope * first.mean() / spread),
        float(1 + slope),
        float(similarity_slope / spread),
        1 / (len(evidence) + 2),
    )


def _fit_sharpness(evidence: Evidence) -> float:
    def loss(logarithm: float) -> float:
        odds = log_odds(evidence.similarities, evidence.near, np.exp(logarithm))
        return _mean_loss(odds, evidence.right)

    found = minimize_scalar(loss, bounds=np.log(_SHARPNESS), method="bounded")
    return float(np.exp(found.x))


def _loss(
    weights: np.ndarray,
    features: np.ndarray,
    offsets: np.ndarray,
    right: np.ndarray,
) -> tuple[float, np.ndarray]:
    """Negative log posterior of a logistic regression, and its gradient."""
    odds = offsets + features @ weights
    loss = _mean_loss(odds, right) * len(right) + weights @ weights / 2
    errors = expit(odds) - right
    return loss, features.T @ errors + weights


def _mean_loss(odds: np.ndarray, right: np.ndarray) -> float:
    return float(np.logaddexp(0, np.where(right, -odds, odds)).mean())


def held_out(
    evidence: Evidence, positions: np.ndarray, metres: float
) -> np.ndarray:
    """Each query's confidence, fitted on other parts of the map.

    The map is cut across its longest axis into `FOLDS` strips of equally
    many queries. What is fitted for a strip sees no query of it, nor one
    within R metres of one of it.

    Args:
        evidence: Q queries.
        positions: of the queries, Cartesian metres [Q, 3].
        metres: R.

    Returns:
        float64 [Q].
    """
    found = np.full(len(evidence), np.nan)
    for strip in _strips(positions):
        apart, _ = cKDTree(positions[strip]).query(positions)
        others = np.flatnonzero(apart > metres)
        fitted = fit(evidence.part(others))
        asked = evidence.part(strip)
        found[strip] = fitted(asked.similarities, asked.near)
    return found


def _strips(positions: np.ndarray) -> list[np.ndarray]:
    """Queries of each part of the map, int [q]."""
    centred = positions - positions.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    order = np.argsort(centred @ axis, kind="stable")
    return [strip for strip in np.array_split(order, FOLDS) if len(strip)]


@dataclass(frozen=True)
class Reliability:
    """Told and true shares of right answers, in bins of equally many queries.

    Attributes:
        confidence: mean of each bin, [B].
        right: share of each bin, [B].
        counts: queries of each bin, int [B].
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
    confidence: np.ndarray, right: np.ndarray, bins: int = BINS
) -> Reliability:
    """How far confidences keep their word.

    Args:
        confidence: of each query, float [Q].
        right: whether its first answer was right, bool [Q].
        bins: B; fewer where there are fewer queries.
    """
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return Reliability(
        np.array([confidence[part].mean() for part in parts]),
        np.array([right[part].mean() for part in parts]),
        np.array([len(part) for part in parts]),
    )
