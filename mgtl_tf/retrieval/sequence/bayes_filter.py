"""Several frames of one drive, combined by a recursive Bayes filter.

The states are the gallery's places, 1 to N, and 0: elsewhere, where the
gallery has no place. After frame t the belief is

    p(x_t | frames 1..t) ~ p(frame t | x_t) sum_x p(x_t | x) p(x | 1..t-1),

the forward pass of a hidden Markov model (Rabiner 1989).

Start: p(0) = w, the calibration's `outside_share`; p(j) = (1 - w) / N.

Motion, once a frame: from place j the camera goes elsewhere with probability

    l_j = SWITCH w + EDGE e_j,

where e_j, 0 to 1, is how far places thin out around j (`Motion.openness`): a
camera leaves a gallery at its edge more often than in its middle. It comes
back to j with probability l_j (1 - w) / (N w), so that w is also the share of
time elsewhere in the long run. What stays moves as `motion.Motion` says.

Log-likelihood ratio of a frame at place j against elsewhere, in nats,

    g_j = r + log N + log softmax_j(b s) - c,

with its similarities s to all places. r is the log ratio of how often frames
of known place and frames from elsewhere look so (`SequenceModel`); so under a
uniform belief the complete gallery has exp(r) against 1. c, `frame_penalty`, is
0 for the first frame. Later frames are not independent of it: what makes one
frame resemble a wrong place makes the next one, a few metres on, resemble
that place's neighbour. c is chosen on simulated drives (`validation.py`).

A frame that looks like one of the last three views is another picture of the
same view, as of a standing car: it leaves the belief as it is. The motion
during such frames is applied when the view changes.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from scipy.special import log_softmax

from mgtl_tf.retrieval.calibration.confidence import SequenceModel
from mgtl_tf.retrieval.sequence.motion import Motion
from mgtl_tf.utils.scorers import unit

SWITCH = 0.02
"""Share of frames after which the camera is anywhere, elsewhere included."""

EDGE = 0.05
"""Probability of leaving within a frame where no other place is near."""

# In a frame from elsewhere, the probability of entering the gallery is bounded.
_MOST_ENTER = 0.5
_VIEWS = 3
# More moves than these change little, and take long.
_MOST_MOVES = 300


class BayesFilter:
    """The belief about where the camera is, frame after frame.

    Args:
        motion: how it moves.
        model: the parameters.
        start: where it was at the first frame if the gallery has it, [N],
            summing to 1; default: anywhere.

    Attributes:
        belief: probabilities of the places, [N].
        outside: probability of elsewhere; all sum to 1.
        views: how many frames of different views there were.
    """

    def __init__(
        self,
        motion: Motion,
        model: SequenceModel,
        start: np.ndarray | None = None,
    ):
        self._motion, self._model = motion, model
        inside = motion.uniform() if start is None else start
        self.belief = inside * (1 - model.outside_share)
        self.outside = model.outside_share
        self.views = 0
        self._seen: deque[np.ndarray] = deque(maxlen=_VIEWS)
        self._frame: int | None = None
        self._leave, self._enter = self._switching()

    def update(
        self,
        frame: int,
        view: np.ndarray,
        rows: np.ndarray,
        similarities: np.ndarray,
        ratio: float = 0.0,
    ) -> np.ndarray:
        """The belief after one more frame, [N].

        Args:
            frame: its number; the motion during missing frames is applied.
            view: its descriptor, [D], of any length.
            rows: its most similar places, int [K], best first; others are
                taken to be as similar as the last.
            similarities: theirs, [K].
            ratio: r of the frame.
        """
        view = unit(view)
        if any(view @ seen >= self._model.same_view for seen in self._seen):
            return self.belief
        last = frame if self._frame is None else self._frame
        for _ in range(min(frame - last, _MOST_MOVES)):
            self._move()
        self._weigh(rows, similarities, ratio)
        self._seen.append(view)
        self._frame = frame
        self.views += 1
        return self.belief

    def _switching(self) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of leaving from, and of entering at, each place."""
        share = self._model.outside_share
        known = self._motion.known
        if not share:
            return np.zeros(len(known)), np.zeros(len(known))
        leave = known * (SWITCH * share + EDGE * self._motion.openness)
        enter = leave * (1 - share) / (known.sum() * share)
        return leave, enter * min(1.0, _MOST_ENTER / enter.sum())

    def _move(self) -> None:
        lost = self.belief * self._leave
        moved = self._motion.after(self.belief - lost)
        self.belief = moved + self.outside * self._enter
        kept = self.outside * (1 - self._enter.sum())
        self.outside = kept + float(lost.sum())

    def _weigh(
        self, rows: np.ndarray, similarities: np.ndarray, ratio: float
    ) -> None:
        levels = self._model.sharpness * similarities.astype(np.float64)
        gain = np.full(len(self.belief), levels[-1])
        gain[rows] = levels
        known = self._motion.known
        gain[known] = log_softmax(gain[known])
        penalty = self._model.frame_penalty if self.views else 0.0
        gain += ratio + np.log(known.sum()) - penalty
        # Divided by the largest that counts, which no exponent exceeds.
        top = gain[self.belief > 0].max()
        if self.outside > 0:
            top = max(top, 0.0)
        belief = self.belief * np.exp(np.minimum(gain - top, 0))
        outside = self.outside * np.exp(-top)
        total = belief.sum() + outside
        self.belief, self.outside = belief / total, float(outside / total)
