"""One direction of an evaluation: whose answers are right, and how near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mgtl_tf import metrics
from mgtl_tf.evaluation.recall_any import ListedAnswers, recall_of_any
from mgtl_tf.evaluation.recall_within import recall_within
from mgtl_tf.utils.errors import UserError


@dataclass(frozen=True)
class Direction:
    """One view asked about the other.

    Args:
        queries, gallery: descriptors [Q, D] and [N, D].
        own: queries and gallery rows that belong together, int [n] each.
        here, there: positions [Q, P] and [N, P] in Cartesian metres, NaN in
            rows that are unknown, or None.
    """

    queries: np.ndarray
    gallery: np.ndarray
    own: tuple[np.ndarray, np.ndarray]
    here: np.ndarray | None
    there: np.ndarray | None

    def recall(
        self, ks: Sequence[int | str], hit_metres: float
    ) -> dict[str, float | int]:
        """Recall by a query's own, or by any answer near enough on the map.

        Args:
            ks: as of `metrics.recall`.
            hit_metres: 0: only its own is right; else the radius.

        Raises:
            UserError: for a radius where there are no positions.
        """
        asked, rows = self.own
        if not hit_metres and len(np.unique(asked)) == len(asked):
            truth = np.empty(len(asked), np.int64)
            truth[asked] = rows
            return metrics.recall(self.queries, self.gallery, truth, ks)
        if not hit_metres:
            right = ListedAnswers(*self.own)
            return recall_of_any(self.queries, self.gallery, right, ks)
        if self.here is None or self.there is None:
            raise UserError(
                f"--hit_metres={hit_metres:g}: these pairs have no positions;"
                " give --hit_metres=0"
            )
        return recall_within(
            self.queries,
            self.gallery,
            self.here,
            self.there,
            hit_metres,
            ks,
            self.own,
        )

    def within(self, metres: float) -> float:
        """Share of first answers so near, of queries of known position.

        Raises:
            ValueError: where there are no positions.
        """
        if self.here is None or self.there is None:
            raise ValueError("there are no positions")
        return metrics.within_metres(
            self.queries, self.gallery, self.here, self.there, metres, self.own
        )


def image_positions(
    places: np.ndarray, images: np.ndarray, count: int
) -> np.ndarray:
    """Where each image is: what its first pair of known position says.

    Args:
        places: of the pairs, [Q, P], NaN in rows that are unknown.
        images: int [Q], the number of each pair's image.
        count: N.

    Returns:
        float64 [N, P], NaN in rows that are unknown.
    """
    where = np.full((count, places.shape[1]), np.nan)
    known = np.flatnonzero(metrics.known(places))[::-1]
    # Of several writes to one image the last one stays.
    where[images[known]] = places[known]
    return where
