"""How probably the first answer is right, from the similarities alone.

If each query were its place's descriptor plus noise of the von Mises-Fisher
kind with concentration b, the posterior of place j would be a softmax of the
similarities, exp(b s_j) over the sum of all. The confidence begins there. Its
log-odds,

    z = log sum_{near} exp(b s_j) - log sum_{far} exp(b s_j),

compare the candidates within R metres of the first answer, itself included,
with those beyond: a similar place next door does no harm, one far away does.
What the softmax gets wrong is corrected as in Platt (1999), by a logistic
regression on z and the first similarity. Both are low where the gallery lacks
the query's place. All four numbers are fitted on queries of known position
(`fit.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.special import expit, logsumexp

from mgtl_tf.utils.geodesy import geodesic_metres

CANDIDATES = 50
"""How many answers are compared; the softmax of the others is nearly zero."""

# Beyond, the probability is 0 or 1 to nine digits.
_LARGEST_LOG_ODDS = 20.0
# Nats; the largest size of a single frame's ratio.
_MOST_RATIO = 8.0

# No fit gives such numbers; a file that holds them was not written by one.
_LARGEST = 1e6
_Coefficient = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]


@dataclass(frozen=True)
class LogOdds:
    """Log-odds that are linear in z and the first similarity.

    Args:
        sharpness: b, above 0.
        intercept, slope, similarity_slope: the log-odds are intercept +
            slope * z + similarity_slope * s_1.
    """

    sharpness: Annotated[float, Field(gt=0, le=_LARGEST)]
    intercept: _Coefficient = 0.0
    slope: _Coefficient = 1.0
    similarity_slope: _Coefficient = 0.0

    def log_odds(
        self, similarities: np.ndarray, near: np.ndarray
    ) -> np.ndarray:
        """Of each query, float64 [Q].

        Args:
            similarities: of the best K answers, [Q, K], highest first.
            near: bool [Q, K], which lie within R metres of the first.
        """
        z, first = features(similarities, near, self.sharpness).T
        odds = self.intercept + self.slope * z
        return odds + self.similarity_slope * first


@dataclass(frozen=True)
class Confidence(LogOdds):
    """The probability that the first answer is right.

    Args:
        least: probabilities are clipped to between this and 1 minus this, as
            so few queries cannot prove others.
    """

    least: Annotated[float, Field(ge=0, le=0.5)] = 0.0

    def __call__(
        self, similarities: np.ndarray, near: np.ndarray
    ) -> np.ndarray:
        """Probability of each query, [Q]; arguments as of `log_odds`."""
        odds = self.log_odds(similarities, near)
        return np.clip(expit(odds), self.least, 1 - self.least)


@dataclass(frozen=True)
class SequenceModel(LogOdds):
    """The parameters of the Bayes filter for a gallery's drives.

    Its log-odds are r of a frame: the log ratio of how often frames of known
    place and frames from elsewhere look so.

    Args:
        frame_penalty: c, nats.
        same_view: frames whose descriptors have at least this cosine are of
            one view.
        outside_share: w, 0 to less than 1; 0: the gallery has all places.
    """

    frame_penalty: Annotated[float, Field(ge=0)] = 0.0
    same_view: float = 1.0
    outside_share: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def ratios(self, similarities: np.ndarray, near: np.ndarray) -> np.ndarray:
        """r of each frame, nats, [Q]; arguments as of `log_odds`."""
        odds = self.log_odds(similarities, near)
        return np.clip(odds, -_MOST_RATIO, _MOST_RATIO)


def features(
    similarities: np.ndarray, near: np.ndarray, sharpness: float
) -> np.ndarray:
    """z and the first similarity of each query, float64 [Q, 2].

    In z one more far candidate, as similar as the K-th, stands for the
    unknown answers beyond it; it is clipped to -20..20.

    Args:
        similarities, near: as of `LogOdds.log_odds`.
        sharpness: b.
    """
    weights = sharpness * np.asarray(similarities, np.float64)  # [Q, K]
    far = np.where(near, -np.inf, weights)
    far = np.concatenate([far, weights[:, -1:]], axis=1)
    close = logsumexp(np.where(near, weights, -np.inf), axis=1)
    z = close - logsumexp(far, axis=1)
    z = np.clip(z, -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS)
    return np.stack([z, similarities[:, 0]], axis=1)


def near_first(coordinates: np.ndarray, metres: float) -> np.ndarray:
    """Which answers lie within R metres of their query's first, bool [Q, K].

    The first always does; one of unknown position does not.

    Args:
        coordinates: degrees, [Q, K, 2], NaN where unknown.
        metres: R.
    """
    shape = coordinates.shape[:2]
    first = np.repeat(coordinates[:, 0], shape[1], axis=0)
    near = geodesic_metres(first, coordinates).reshape(shape) <= metres
    near[:, 0] = True
    return near
