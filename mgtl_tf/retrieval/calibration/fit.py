"""Fitting a confidence to queries whose position is known."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.spatial import cKDTree
from scipy.special import expit

from mgtl_tf.retrieval.calibration.calibration_set import CalibrationSet
from mgtl_tf.retrieval.calibration.confidence import Confidence, log_odds

FOLDS = 5
"""Parts of the map, each predicted from the others."""

_SHARPNESS = (1.0, 1e4)
# Of the normal prior of each slope, where the feature has deviation 1.
_PRIOR_DEVIATION = 3.0


def fit(queries: CalibrationSet, outside_share: float = 0.0) -> Confidence:
    """The confidence under which the queries' answers are most probable.

    The sharpness is fitted to the queries inside the gallery alone, whose
    posterior it describes; the logistic correction to both kinds, weighted
    by `outside_share`.

    Args:
        queries: with right and wrong answers.
        outside_share: of queries from places that the gallery lacks, 0 to 1.
    """
    inside, outside = queries.inside, queries.without_place
    sharpness = fit_sharpness(queries)
    kinds = [inside, outside] if outside_share else [inside]
    intercept, (slope, similarity_slope) = logistic_regression(
        np.concatenate([kind.features(sharpness) for kind in kinds]),
        np.concatenate([kind.right for kind in kinds]),
        mixed_weights(len(inside), len(outside), outside_share),
    )
    least = 1 / (len(inside) + 2)
    return Confidence(sharpness, intercept, slope, similarity_slope, least)


def fit_sharpness(queries: CalibrationSet) -> float:
    """The softmax's b for queries whose place the gallery has."""
    inside = queries.inside

    def loss(logarithm: float) -> float:
        odds = log_odds(inside.similarities, inside.near, np.exp(logarithm))
        return float(np.logaddexp(0, np.where(inside.right, -odds, odds)).sum())

    found = minimize_scalar(loss, bounds=np.log(_SHARPNESS), method="bounded")
    return float(np.exp(found.x))


def logistic_regression(
    features: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> tuple[float, list[float]]:
    """A weighted logistic regression with a normal prior on its slopes.

    Args:
        features: float64 [n, k].
        labels: bool [n].
        weights: how much each counts, [n].

    Returns:
        intercept, and the k slopes.
    """
    mean = np.average(features, axis=0, weights=weights)
    variance = np.average((features - mean) ** 2, axis=0, weights=weights)
    deviation = np.maximum(np.sqrt(variance), 1e-6)
    scaled = (features - mean) / deviation

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        odds = coefficients[0] + scaled @ coefficients[1:]
        prior = coefficients[1:] / _PRIOR_DEVIATION**2
        losses = np.logaddexp(0, np.where(labels, -odds, odds))
        errors = weights * (expit(odds) - labels)
        gradient = np.r_[errors.sum(), scaled.T @ errors + prior]
        return weights @ losses + prior @ coefficients[1:] / 2, gradient

    start = np.zeros(features.shape[1] + 1)
    intercept, *found = minimize(loss, start, jac=True, method="BFGS").x
    slopes = found / deviation
    return float(intercept - slopes @ mean), slopes.tolist()


def mixed_weights(
    inside: int, outside: int, outside_share: float
) -> np.ndarray:
    """How much each of so many queries counts, [inside + outside].

    The outside ones come last, and have that share of the sum; 0 leaves them
    out.
    """
    if not outside_share:
        return np.ones(inside)
    each = outside_share * inside / max(outside, 1)
    return np.repeat([1 - outside_share, each], [inside, outside])


def held_out(
    queries: CalibrationSet,
    positions: np.ndarray,
    metres: float,
    outside_share: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Each query's confidences, fitted on other parts of the map.

    The map is cut across its longest axis into `FOLDS` strips of equally
    many queries. The fit for a strip excludes its queries and those within R
    metres of one of them.

    Args:
        queries: Q of them.
        positions: theirs, Cartesian metres [Q, 3].
        metres: R.
        outside_share: as of `fit`.

    Returns:
        float64 [Q] inside the gallery, and of those in `without_place`.
    """
    inside = np.full(len(queries.inside), np.nan)
    outside = inside.copy()
    for strip in _strips(positions):
        apart, _ = cKDTree(positions[strip]).query(positions)
        confidence = fit(queries[apart > metres], outside_share)
        for confidences, found in (
            (inside, queries.inside),
            (outside, queries.outside),
        ):
            rows = strip[found.answered[strip]]
            part = found[rows]
            confidences[rows] = confidence(part.similarities, part.near)
    return inside, outside[queries.outside.answered]


def _strips(positions: np.ndarray) -> list[np.ndarray]:
    """Queries of each part of the map, int [q]."""
    centred = positions - positions.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    order = np.argsort(centred @ axis, kind="stable")
    return [strip for strip in np.array_split(order, FOLDS) if len(strip)]
