"""The frames of a drive, answered one after the other."""

from __future__ import annotations

import numpy as np

from mgtl_tf.retrieval.answers import Answer
from mgtl_tf.retrieval.answers import Located
from mgtl_tf.retrieval.answers import answers_of
from mgtl_tf.retrieval.calibration import Calibration
from mgtl_tf.retrieval.drive import Drive
from mgtl_tf.retrieval.map_distance import metres_from
from mgtl_tf.retrieval.motion import Motion
from mgtl_tf.retrieval.prior import Prior
from mgtl_tf.retrieval.searching import Searched
from mgtl_tf.retrieval.searching import Searcher

REACH = 1000
"""Places of each frame whose similarity is asked for. The others, of a larger
gallery, are taken to be as similar as the last of them: at most they are."""


class Follower:
    """Answers frames by the belief that all frames so far leave.

    Args:
        searcher: the gallery.
        calibration: of it; its `drive_sharpness` makes likelihoods of
            similarities.
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
        self._drive = Drive(motion, calibration.drive_sharpness, belief)

    def __call__(self, batch: Searched, top_k: int) -> list[Located]:
        """The answers of a batch of frames, in order."""
        return [self._frame(batch, i, top_k) for i in range(len(batch.queries))]

    def _frame(self, batch: Searched, i: int, top_k: int) -> Located:
        query = batch.queries[i]
        belief = self._drive.see(
            query.number, batch.rows[i], batch.similarities[i]
        )
        best = np.argsort(-belief, kind="stable")[:top_k]
        best = best[belief[best] > 0]
        similarities = self._similarities(batch.descriptors[i], best)
        index = self._searcher.index
        return Located(
            query.name,
            answers_of(index, best, similarities, None, belief[best]),
            self._true_answer(belief, batch.descriptors[i], query.true_row),
            self._confidence(belief, best[0]),
            self._calibration.metres,
            seconds=batch.seconds,
            heading_read=query.heading_read,
        )

    def _similarities(
        self, descriptor: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        gallery = self._searcher.index.descriptors[rows]
        return gallery.astype(np.float64) @ descriptor.astype(np.float64)

    def _confidence(self, belief: np.ndarray, first: int) -> float:
        """The belief in all places within R metres of the first together."""
        apart = metres_from(self._coordinates[first], self._coordinates)
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
