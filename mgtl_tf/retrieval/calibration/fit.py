"""Fitting a confidence to queries whose place is known, and trying it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.spatial import cKDTree
from scipy.special import expit

from mgtl_tf.retrieval.calibration.confidence import Confidence, log_odds
from mgtl_tf.retrieval.calibration.query_results import (
    CalibrationSet,
    QueryResults,
)

FOLDS = 5
"""Parts of the map, each predicted from the others."""

_SHARPNESS = (1.0, 1e4)
# Standard deviations of how far slopes may stray from "no correction", with
# the features' own spread as the unit: ten queries leave them, fifty do not.
_STRAYING = 3.0


def fit(trials: CalibrationSet, outside_share: float = 0.0) -> Confidence:
    """The confidence under which the trials are the most probable.

    First the sharpness alone, by the queries inside the gallery, whose
    posterior it is. Then the correction, which a normal prior holds near
    none: few queries change little. It sees queries from outside as well, as
    many as are expected among all.

    Args:
        trials: with right and wrong answers.
        outside_share: of queries from places that the gallery lacks, 0 to 1.
    """
    sharpness = _fit_sharpness(trials.inside)
    evidence, shares = _mixed(trials, outside_share)
    odds = log_odds(evidence.similarities, evidence.near, sharpness)
    first = evidence.similarities[:, 0].astype(np.float64)
    middle = float(np.average(first, weights=shares))
    deviation = np.average((first - middle) ** 2, weights=shares) ** 0.5
    spread = max(float(deviation), 1e-6)
    centred = (first - middle) / spread
    features = np.stack([np.ones_like(odds), odds, centred], axis=1)
    offsets, weights = features @ [0.0, 1.0, 0.0], np.zeros(3)
    scales = _STRAYING * np.array([1.0, 0.5, 1.0])
    weights = minimize(
        _loss,
        weights,
        (features * scales, offsets, evidence.right, shares),
        jac=True,
        method="BFGS",
    ).x
    intercept, slope, similarity_slope = weights * scales
    return Confidence(
        sharpness,
        float(intercept - similarity_slope * middle / spread),
        float(1 + slope),
        float(similarity_slope / spread),
        1 / (len(trials.inside) + 2),
    )


def _mixed(
    trials: CalibrationSet, outside_share: float
) -> tuple[QueryResults, np.ndarray]:
    """Queries inside and outside, and how much each counts; Q in all."""
    inside, outside = trials.inside, trials.outside
    if not outside_share:
        return inside, np.ones(len(inside))
    return QueryResults.joined([inside, outside]), mixed_weights(
        len(inside), len(outside), outside_share
    )


def mixed_weights(
    inside: int, outside: int, outside_share: float
) -> np.ndarray:
    """How much each of some queries counts, the outside ones last.

    Args:
        inside, outside: how many there are.
        outside_share: which share of the whole the latter shall have.

    Returns:
        [inside + outside], whose sum is `inside`.
    """
    each = outside_share * inside / max(outside, 1)
    return np.repeat([1 - outside_share, each], [inside, outside])


def _fit_sharpness(evidence: QueryResults) -> float:
    shares = np.ones(len(evidence))

    def loss(logarithm: float) -> float:
        odds = log_odds(evidence.similarities, evidence.near, np.exp(logarithm))
        return _sum_of_losses(odds, evidence.right, shares) / len(evidence)

    found = minimize_scalar(loss, bounds=np.log(_SHARPNESS), method="bounded")
    return float(np.exp(found.x))


def _loss(
    weights: np.ndarray,
    features: np.ndarray,
    offsets: np.ndarray,
    right: np.ndarray,
    shares: np.ndarray,
) -> tuple[float, np.ndarray]:
    """Negative log posterior of a logistic regression, and its gradient."""
    odds = offsets + features @ weights
    loss = _sum_of_losses(odds, right, shares) + weights @ weights / 2
    errors = shares * (expit(odds) - right)
    return loss, features.T @ errors + weights


def _sum_of_losses(
    odds: np.ndarray, right: np.ndarray, shares: np.ndarray
) -> float:
    return float(shares @ np.logaddexp(0, np.where(right, -odds, odds)))


def held_out(
    trials: CalibrationSet,
    positions: np.ndarray,
    metres: float,
    outside_share: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Each query's confidences, fitted on other parts of the map.

    The map is cut across its longest axis into `FOLDS` strips of equally
    many queries. What is fitted for a strip sees no query of it, nor one
    within R metres of one of it.

    Args:
        trials: of Q queries, q of them outside too.
        positions: of the queries, Cartesian metres [Q, 3].
        metres: R.
        outside_share: as of `fit`.

    Returns:
        float64 [Q] inside the gallery, and [q] outside.
    """
    told = np.full(len(trials.inside), np.nan)
    told_outside = np.full(len(trials.outside), np.nan)
    for strip in _strips(positions):
        apart, _ = cKDTree(positions[strip]).query(positions)
        others = np.flatnonzero(apart > metres)
        fitted = fit(trials.part(others), outside_share)
        asked = trials.inside.part(strip)
        told[strip] = fitted(asked.similarities, asked.near)
        strip_outside = np.isin(trials.queries, strip)
        asked = trials.outside.part(strip_outside)
        told_outside[strip_outside] = fitted(asked.similarities, asked.near)
    return told, told_outside


def _strips(positions: np.ndarray) -> list[np.ndarray]:
    """Queries of each part of the map, int [q]."""
    centred = positions - positions.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    order = np.argsort(centred @ axis, kind="stable")
    return [strip for strip in np.array_split(order, FOLDS) if len(strip)]
