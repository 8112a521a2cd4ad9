"""Fitting confidences and the Bayes filter to queries of known position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.spatial import cKDTree
from scipy.special import expit

from mgtl_tf.retrieval.calibration.calibration_set import (
    CalibrationSet,
    QueryResults,
)
from mgtl_tf.retrieval.calibration.confidence import (
    Confidence,
    LogOdds,
    SequenceModel,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.scorers import unit

FOLDS = 5
"""Parts of the map, each predicted from the others."""

_SHARPNESS = (1.0, 1e4)
# Of the normal prior of each slope, where the feature has deviation 1.
_PRIOR_DEVIATION = 3.0
# Of queries whose nearest other query, of another place, is farther away.
_DIFFERENT = 0.99
_LEAST_ALIKE, _MOST_ALIKE = 0.5, 0.9999


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
    kinds = [inside, outside] if outside_share else [inside]
    fitted = _logistic_regression(
        _sharpness(inside),
        kinds,
        [kind.right for kind in kinds],
        mixed_weights(len(inside), len(outside), outside_share),
    )
    return Confidence(**asdict(fitted), least=1 / (len(inside) + 2))


def fit_sequence_model(
    queries: CalibrationSet, views: np.ndarray, outside_share: float
) -> SequenceModel:
    """The Bayes filter's parameters, without the frame penalty.

    The log ratio r is a logistic regression of "the gallery has the place".
    Both kinds have equal weight, so that its log-odds are the ratio itself.

    Args:
        queries: inside and outside the gallery.
        views: descriptors of queries of different places, float32 [Q, D].
        outside_share: of the queries to come.
    """
    inside, outside = queries.inside, queries.without_place
    confidence = fit(queries)
    sharpness = max(confidence.sharpness * max(confidence.slope, 0.0), 1e-3)
    fitted = LogOdds(sharpness, slope=0.0)
    if outside_share:
        counts = [len(inside), len(outside)]
        fitted = _logistic_regression(
            sharpness,
            [inside, outside],
            [np.ones(counts[0], bool), np.zeros(counts[1], bool)],
            np.repeat([1.0, counts[0] / counts[1]], counts),
        )
    return SequenceModel(
        **asdict(fitted),
        same_view=_same_view(views),
        outside_share=outside_share,
    )


def _same_view(views: np.ndarray) -> float:
    """The cosine from which on two frames are taken to be of one view.

    Of 99 in 100 queries, no query of another place is so similar.
    """
    if len(views) < 2:
        return _MOST_ALIKE
    directions = unit(views)
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -1.0)
    nearest = np.quantile(cosines.max(axis=1), _DIFFERENT)
    return float(np.clip(nearest, _LEAST_ALIKE, _MOST_ALIKE))


def _sharpness(inside: QueryResults) -> float:
    """The softmax's b for queries whose place the gallery has."""

    def loss(logarithm: float) -> float:
        odds = inside.features(np.exp(logarithm))[:, 0]
        return float(np.logaddexp(0, np.where(inside.right, -odds, odds)).sum())

    found = minimize_scalar(loss, bounds=np.log(_SHARPNESS), method="bounded")
    return float(np.exp(found.x))


def _logistic_regression(
    sharpness: float,
    kinds: Sequence[QueryResults],
    labels: Sequence[np.ndarray],
    weights: np.ndarray,
) -> LogOdds:
    """A weighted regression on z and s_1, with a normal prior on its slopes.

    Args:
        sharpness: b.
        kinds: of queries, n in all.
        labels: of each kind, bool [Q].
        weights: how much each query counts, [n].
    """
    features = np.concatenate([kind.features(sharpness) for kind in kinds])
    label = np.concatenate(labels)
    mean = np.average(features, axis=0, weights=weights)
    variance = np.average((features - mean) ** 2, axis=0, weights=weights)
    deviation = np.maximum(np.sqrt(variance), 1e-6)
    scaled = (features - mean) / deviation

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        odds = coefficients[0] + scaled @ coefficients[1:]
        prior = coefficients[1:] / _PRIOR_DEVIATION**2
        losses = np.logaddexp(0, np.where(label, -odds, odds))
        errors = weights * (expit(odds) - label)
        gradient = np.r_[errors.sum(), scaled.T @ errors + prior]
        return weights @ losses + prior @ coefficients[1:] / 2, gradient

    intercept, *found = minimize(loss, np.zeros(3), jac=True, method="BFGS").x
    slopes = found / deviation
    return LogOdds(
        sharpness, float(intercept - slopes @ mean), *slopes.tolist()
    )


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

    Raises:
        UserError: as `parts_of_map`.
    """
    inside = np.full(len(queries.inside), np.nan)
    outside = inside.copy()
    for strip, others in parts_of_map(positions, metres):
        confidence = fit(queries[others], outside_share)
        for confidences, found in (
            (inside, queries.inside),
            (outside, queries.outside),
        ):
            rows = strip[found.answered[strip]]
            part = found[rows]
            confidences[rows] = confidence(part.similarities, part.near)
    return inside, outside[queries.outside.answered]


def parts_of_map(
    positions: np.ndarray, metres: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each strip of the map, and the queries that its fit may see.

    Args:
        positions, metres: as of `held_out`.

    Yields:
        the strip's queries, int [q]; which lie farther than R from all of
        them, bool [Q].

    Raises:
        UserError: where no query does.
    """
    for strip in _strips(positions):
        apart, _ = cKDTree(positions[strip]).query(positions)
        others = apart > metres
        if not others.any():
            raise UserError(
                f"queries: all lie within R = {metres:g} m of a fifth of them,"
                " so that none is left to fit for those held out; give a"
                " smaller metres or queries from more of the map"
            )
        yield strip, others


def _strips(positions: np.ndarray) -> list[np.ndarray]:
    """Queries of each part of the map, int [q]."""
    centred = positions - positions.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    order = np.argsort(centred @ axis, kind="stable")
    return [strip for strip in np.array_split(order, FOLDS) if len(strip)]
