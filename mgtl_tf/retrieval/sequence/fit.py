"""Fitting what a frame tells of a drive: inside the gallery, or elsewhere."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from mgtl_tf.retrieval.calibration.confidence import log_odds
from mgtl_tf.retrieval.calibration.fit import fit
from mgtl_tf.retrieval.calibration.query_results import CalibrationSet
from mgtl_tf.retrieval.sequence.bayes_filter import SequenceModel

MOST_RATIO = 8.0
"""Nats; no single frame says more."""

# Queries whose nearest other is this near in rank share its view.
_UNLIKE = 0.99
_LEAST_ALIKE, _MOST_ALIKE = 0.5, 0.9999


def fit_drive(
    trials: CalibrationSet, views: np.ndarray, outside_share: float
) -> SequenceModel:
    """The model of a drive's frames, before its caution is chosen.

    The log ratio r is a logistic regression of "the gallery has its place" on
    z and the first similarity, both kinds counting alike, so that its
    log-odds are the ratio itself; a normal prior of deviation 3 holds slopes.

    Args:
        trials: queries inside and outside the gallery.
        views: descriptors of queries of different places, float32 [Q, D].
        outside_share: of the queries to come.
    """
    sharpness = max(fit(trials).effective_sharpness, 1e-3)
    weights = (0.0, 0.0, 0.0)
    if outside_share:
        weights = _ratio(trials, sharpness)
    return SequenceModel(
        sharpness,
        *weights,
        same_view=same_view(views),
        outside_share=outside_share,
    )


def log_ratio(
    model: SequenceModel, similarities: np.ndarray, near: np.ndarray
) -> np.ndarray:
    """r of each frame, nats, float64 [Q].

    Args:
        model: of the gallery.
        similarities, near: as of `Confidence`.
    """
    odds = log_odds(similarities, near, model.sharpness)
    ratio = (
        model.intercept
        + model.slope * odds
        + model.similarity_slope * similarities[:, 0]
    )
    return np.clip(ratio, -MOST_RATIO, MOST_RATIO)


def same_view(views: np.ndarray) -> float:
    """The cosine from which two frames are of one view.

    Of 99 in 100 queries, no other query, of another place, is so near.

    Args:
        views: unit vectors of different places, float32 [Q, D].
    """
    if len(views) < 2:
        return _MOST_ALIKE
    cosines = views @ views.T
    np.fill_diagonal(cosines, -1.0)
    nearest = np.quantile(cosines.max(axis=1), _UNLIKE)
    return float(np.clip(nearest, _LEAST_ALIKE, _MOST_ALIKE))


def _ratio(
    trials: CalibrationSet, sharpness: float
) -> tuple[float, float, float]:
    kinds = (trials.inside, trials.outside)
    features = [
        np.stack(
            [
                np.ones(len(kind)),
                log_odds(kind.similarities, kind.near, sharpness),
                kind.similarities[:, 0].astype(np.float64),
            ],
            axis=1,
        )
        for kind in kinds
    ]
    # As if there were as many of either kind as inside.
    counts = [len(kind) for kind in kinds]
    shares = np.repeat([1.0, counts[0] / counts[1]], counts)
    inside = np.repeat([True, False], counts)
    table = np.concatenate(features)
    middle = table.mean(axis=0) * [0, 1, 1]
    spread = np.maximum(table.std(axis=0), 1e-6) * [0, 1, 1] + [1, 0, 0]
    scaled = (table - middle) / spread

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        odds = scaled @ weights
        prior = weights * [0, 1, 1] / 9
        value = shares @ np.logaddexp(0, np.where(inside, -odds, odds))
        errors = shares * (expit(odds) - inside)
        return float(value + weights @ prior / 2), scaled.T @ errors + prior

    found = minimize(loss, np.zeros(3), jac=True, method="BFGS").x / spread
    return float(found[0] - found @ middle), float(found[1]), float(found[2])
