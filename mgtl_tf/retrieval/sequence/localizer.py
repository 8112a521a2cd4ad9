"""Localizing the frames of a sequence, one after the other."""

from __future__ import annotations

import numpy as np

from mgtl_tf.retrieval.answers import Answer, Located, answers_of
from mgtl_tf.retrieval.calibration.confidence import CANDIDATES
from mgtl_tf.retrieval.calibration.stored import Calibration, near_first
from mgtl_tf.retrieval.prior import Prior
from mgtl_tf.retrieval.searching import Searched, Searcher
from mgtl_tf.retrieval.sequence.bayes_filter import BayesFilter
from mgtl_tf.retrieval.sequence.fit import log_ratio
from mgtl_tf.retrieval.sequence.motion import Motion
from mgtl_tf.retrieval.sequence.validation import SURE, VIEWS, is_told
from mgtl_tf.utils.geodesy import geodesic_metres

REACH = 1000
"""Places of each frame whose similarity is asked for. The others, of a larger
gallery, are taken to be as similar as the last of them: at most they are."""

MOST_ERROR = 0.05
"""Expected calibration error from which on no confidence is told."""

NO_DRIVES = (
    "the gallery was calibrated on no drives (its queries lie too far apart,"
    " or --outside_share was 0)"
)
TOO_WRONG = (
    "confidences of drives {1} the gallery were off by {0:.1f} % when it was"
    " calibrated"
)
KIND_WORDS = {
    "inside": "inside",
    "outside": "outside",
    "passing": "passing into or out of",
}
TOO_FEW = (
    f"fewer than {VIEWS} frames of different views so far, too few to tell a"
    " drive that the gallery lacks"
)

UNDECIDED = (
    "the frames so far do not decide whether the gallery has the place"
    f" (neither {100 * SURE:.0f} % nor {100 * (1 - SURE):.0f} % sure)"
)


class SequenceLocalizer:
    """Localizes each frame by the posterior given all frames so far.

    Args:
        searcher: the gallery.
        calibration: of it; its `drive` tells what similarities mean.
        metres: about what the camera moves from frame to frame.
        start: a circle in which the first frame was taken, if known.

    Raises:
        UserError: where the gallery has no positions, or none in the circle.
    """

    def __init__(
        self,
        searcher: Searcher,
        calibration: Calibration,
        metres: float,
        start: Prior | None = None,
    ):
        self._searcher = searcher
        self._calibration = calibration
        self._coordinates = searcher.index.coordinates
        motion = Motion(self._coordinates, metres)
        belief = None
        if start is not None:
            belief = np.zeros(len(self._coordinates))
            rows = start.rows(self._coordinates)
            belief[rows] = 1 / len(rows)
        self._drive = BayesFilter(motion, calibration.drive, belief)

    def __call__(self, batch: Searched, top_k: int) -> list[Located]:
        """The answers of a batch of frames, in order."""
        return [self._frame(batch, i, top_k) for i in range(len(batch.queries))]

    def _frame(self, batch: Searched, i: int, top_k: int) -> Located:
        query, calibration = batch.queries[i], self._calibration
        rows, found = batch.rows[i], batch.similarities[i]
        belief = self._drive.see(
            query.number,
            batch.descriptors[i],
            rows,
            found,
            self._ratio(rows, found),
        )
        best = np.argsort(-belief, kind="stable")[:top_k]
        best = best[belief[best] > 0]
        similarities = self._similarities(batch.descriptors[i], best)
        index = self._searcher.index
        confidence = self._confidence(belief, best[0])
        reason = self._silence(confidence)
        return Located(
            query.name,
            answers_of(index, best, similarities, None, belief[best]),
            self._true_answer(belief, batch.descriptors[i], query.true_row),
            None if reason else confidence,
            calibration.metres,
            None if reason else calibration.outside_share,
            reason,
            batch.seconds,
            heading_read=query.heading_read,
        )

    def _ratio(self, rows: np.ndarray, similarities: np.ndarray) -> float:
        """Of the frame being in the gallery against elsewhere, logarithmic."""
        best, found = rows[None, :CANDIDATES], similarities[None, :CANDIDATES]
        near = near_first(self._coordinates[best], self._calibration.metres)
        return float(log_ratio(self._calibration.drive, found, near)[0])

    def _silence(self, confidence: float) -> str:
        """Why no confidence is told of the frame; "" where one is."""
        errors = self._calibration.drive_errors
        if not errors:
            return NO_DRIVES
        kind = max(errors, key=lambda name: errors[name])
        if errors[kind] >= MOST_ERROR:
            return TOO_WRONG.format(100 * errors[kind], KIND_WORDS[kind])
        if self._drive.views < VIEWS:
            return TOO_FEW
        return "" if is_told(confidence, self._drive.views) else UNDECIDED

    def _similarities(
        self, descriptor: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        gallery = self._searcher.index.descriptors[rows]
        return gallery.astype(np.float64) @ descriptor.astype(np.float64)

    def _confidence(self, belief: np.ndarray, first: int) -> float:
        """The belief in all places within R metres of the first together."""
        apart = geodesic_metres(self._coordinates[first], self._coordinates)
        mass = belief[apart <= self._calibration.metres].sum()
        least = self._calibration.confidence.least
        return float(np.clip(mass, least, 1 - least))

    def _true_answer(
        self, belief: np.ndarray, descriptor: np.ndarray, row: int | None
    ) -> Answer | None:
        if row is None:
            return None
        rank = np.count_nonzero(belief >= belief[row])
        similarity = self._similarities(descriptor, np.array([row]))[0]
        place = self._searcher.index.places[row]
        return Answer(int(rank), place, float(similarity))
