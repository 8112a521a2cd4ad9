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

CANDIDATES = 50
"""How many answers are compared; the softmax of the others is nearly zero."""

# Beyond, the probability is 0 or 1 to nine digits.
_LARGEST_LOG_ODDS = 20.0

# No fit gives such numbers; a file that holds them was not written by one.
_LARGEST = 1e6
_Coefficient = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]


@dataclass(frozen=True)
class Confidence:
    """From a query's best similarities to a probability.

    Args:
        sharpness: b, above 0.
        intercept, slope, similarity_slope: the probability's log-odds are
            intercept + slope * z + similarity_slope * s_1.
        least: probabilities are clipped to between this and 1 minus this, as
            so few queries cannot prove others.
    """

    sharpness: Annotated[float, Field(gt=0, le=_LARGEST)]
    intercept: _Coefficient = 0.0
    slope: _Coefficient = 1.0
    similarity_slope: _Coefficient = 0.0
    least: Annotated[float, Field(ge=0, le=0.5)] = 0.0

    def __call__(
        self, similarities: np.ndarray, near: np.ndarray
    ) -> np.ndarray:
        """Probabilities that the first answers are right, float64 [Q].

        Args:
            similarities: of the best K answers, [Q, K], highest first.
            near: bool [Q, K], which lie within R metres of the first.
        """
        odds = (
            self.intercept
            + self.slope * log_odds(similarities, near, self.sharpness)
            + self.similarity_slope * similarities[:, 0]
        )
        return np.clip(expit(odds), self.least, 1 - self.least)


def log_odds(
    similarities: np.ndarray, near: np.ndarray, sharpness: float
) -> np.ndarray:
    """z of each query: the near answers' weight against that of the far.

    One more far candidate, as similar as the K-th, stands for the unknown
    answers beyond it.

    Args:
        similarities, near: as of `Confidence`.
        sharpness: b.

    Returns:
        float64 [Q], clipped to -20..20.
    """
    weights = sharpness * np.asarray(similarities, np.float64)  # [Q, K]
    far = np.where(near, -np.inf, weights)
    far = np.concatenate([far, weights[:, -1:]], axis=1)
    close = logsumexp(np.where(near, weights, -np.inf), axis=1)
    odds = close - logsumexp(far, axis=1)
    return np.clip(odds, -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS)
