"""Localizing the frames of a sequence, one after the other."""

from __future__ import annotations

import numpy as np

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.answers import Answer, Located, answers_of
from mgtl_tf.retrieval.calibration.stored import Calibration
from mgtl_tf.retrieval.searcher import SearchedBatch
from mgtl_tf.retrieval.sequence.bayes_filter import BayesFilter
from mgtl_tf.retrieval.sequence.motion import Motion
from mgtl_tf.retrieval.sequence.validation import SURE, VIEWS, is_decided
from mgtl_tf.utils.geodesy import geodesic_metres

REACH = 1000
"""Places of each frame that are searched. The others of a larger gallery are
taken to be as similar as the last of them: at most they are."""

MOST_ERROR = 0.05
"""Expected calibration error from which on there is no confidence."""

_NO_DRIVES = (
    "the gallery was calibrated without drives (its queries lie too far apart,"
    " or outside_share was 0)"
)
_UNDECIDED = (
    "the frames so far do not decide whether the gallery has the place"
    f" (neither {100 * SURE:.0f} % nor {100 * (1 - SURE):.0f} % probable)"
)


class SequenceLocalizer:
    """Localizes each frame by the posterior given all frames so far.

    Args:
        index: the gallery.
        calibration: of it.
        metres: about what the camera moves from frame to frame.
        start: rows of the places where the first frame may have been taken;
            None: all.

    Raises:
        UserError: where the gallery has no positions, or metres do not fit.
    """

    def __init__(
        self,
        index: Index,
        calibration: Calibration,
        metres: float,
        start: np.ndarray | None = None,
    ):
        self._index, self._calibration = index, calibration
        belief = None
        if start is not None:
            belief = np.zeros(len(index.coordinates))
            belief[start] = 1 / len(start)
        motion = Motion(index.coordinates, metres)
        self._filter = BayesFilter(motion, calibration.drive, belief)

    def located(self, batch: SearchedBatch, top_k: int) -> list[Located]:
        """The next frames' answers, in order.

        Args:
            batch: `REACH` places of each.
            top_k: how many answers each.
        """
        where = self._index.coordinates[batch.rows]
        compared = self._calibration.compared(batch.similarities, where)
        ratios = self._calibration.drive.ratios(*compared)
        return [
            self._frame(batch, i, float(ratio), top_k)
            for i, ratio in enumerate(ratios)
        ]

    def _frame(
        self, batch: SearchedBatch, i: int, ratio: float, top_k: int
    ) -> Located:
        query, view = batch.queries[i], batch.descriptors[i]
        belief = self._filter.update(
            query.number, view, batch.rows[i], batch.similarities[i], ratio
        )
        best = np.argsort(-belief, kind="stable")[:top_k]
        best = best[belief[best] > 0]
        true = None
        if query.true_row is not None:
            true = Answer(
                int(np.count_nonzero(belief >= belief[query.true_row])),
                self._index.places[query.true_row],
                float(self._similarities(view, np.array([query.true_row]))[0]),
            )
        confidence = self._confidence(belief, best[0])
        reason = self._no_confidence(confidence)
        return Located(
            query.name,
            answers_of(
                self._index,
                best,
                self._similarities(view, best),
                probabilities=belief[best],
            ),
            true,
            None if reason else confidence,
            self._calibration.metres,
            None if reason else self._calibration.outside_share,
            reason,
            batch.seconds,
            query.heading_read,
            query.squeezed,
        )

    def _similarities(self, view: np.ndarray, rows: np.ndarray) -> np.ndarray:
        views = np.broadcast_to(view, (len(rows), len(view)))
        return self._index.scorer.exact(views, self._index.descriptors[rows])

    def _confidence(self, belief: np.ndarray, first: int) -> float:
        """The belief in all places within R metres of the first together."""
        coordinates = self._index.coordinates
        apart = geodesic_metres(coordinates[first], coordinates)
        total = belief[apart <= self._calibration.metres].sum()
        least = self._calibration.confidence.least
        return float(np.clip(total, least, 1 - least))

    def _no_confidence(self, confidence: float) -> str:
        """Why the frame has no confidence; "" where it has one."""
        errors = self._calibration.measured.drive_errors
        if not errors:
            return _NO_DRIVES
        worst = max(errors, key=lambda kind: errors[kind])
        if errors[worst] >= MOST_ERROR:
            return (
                f"the expected calibration error of {worst} drives was"
                f" {100 * errors[worst]:.1f} % when the gallery was calibrated"
            )
        if self._filter.views < VIEWS:
            return f"fewer than {VIEWS} frames of different views so far"
        if is_decided(confidence, self._filter.views):
            return ""
        return _UNDECIDED
