"""Parameters of the Bayes filter, fitted to queries of known position."""

from __future__ import annotations

import numpy as np

from mgtl_tf.retrieval.calibration.calibration_set import CalibrationSet
from mgtl_tf.retrieval.calibration.confidence import log_odds
from mgtl_tf.retrieval.calibration.fit import fit, logistic_regression
from mgtl_tf.retrieval.sequence.bayes_filter import SequenceModel

# Nats; the largest size of a single frame's ratio.
_MOST_RATIO = 8.0
# Of queries whose nearest other query, of another place, is farther away.
_DIFFERENT = 0.99
_LEAST_ALIKE, _MOST_ALIKE = 0.5, 0.9999


def fit_sequence_model(
    queries: CalibrationSet, views: np.ndarray, outside_share: float
) -> SequenceModel:
    """The filter's parameters, without the frame penalty.

    The log ratio r is a logistic regression of "the gallery has the place" on
    z and the first similarity. Both kinds have equal weight, so that its
    log-odds are the ratio itself.

    Args:
        queries: inside and outside the gallery.
        views: descriptors of queries of different places, float32 [Q, D].
        outside_share: of the queries to come.
    """
    inside, outside = queries.inside, queries.without_place
    confidence = fit(queries)
    sharpness = max(confidence.sharpness * max(confidence.slope, 0.0), 1e-3)
    intercept = slope = similarity_slope = 0.0
    if outside_share:
        counts = [len(inside), len(outside)]
        intercept, (slope, similarity_slope) = logistic_regression(
            np.concatenate([q.features(sharpness) for q in (inside, outside)]),
            np.repeat([True, False], counts),
            np.repeat([1.0, counts[0] / counts[1]], counts),
        )
    return SequenceModel(
        sharpness,
        intercept,
        slope,
        similarity_slope,
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
    ratio = (
        model.intercept
        + model.slope * log_odds(similarities, near, model.sharpness)
        + model.similarity_slope * similarities[:, 0]
    )
    return np.clip(ratio, -_MOST_RATIO, _MOST_RATIO)


def same_view(views: np.ndarray) -> float:
    """The cosine from which on two frames are taken to be of one view.

    Of 99 in 100 queries, no query of another place is so similar.

    Args:
        views: unit vectors of different places, float32 [Q, D].
    """
    if len(views) < 2:
        return _MOST_ALIKE
    cosines = views @ views.T
    np.fill_diagonal(cosines, -1.0)
    nearest = np.quantile(cosines.max(axis=1), _DIFFERENT)
    return float(np.clip(nearest, _LEAST_ALIKE, _MOST_ALIKE))
