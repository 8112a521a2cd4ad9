"""Which pairs of places are negatives of each other (R15).

Places that share an aerial image are none, nor are places nearer to each
other than a radius, nor, on request, places of which any overlapping aerial
images are the same (VIGOR's semi-positives). A place of unknown position is
near to itself alone.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from mgtl_tf.datasets.aerial_images import aerial_images
from mgtl_tf.datasets.records import Pair, positions
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.top_k import slices

_ROWS = 128


@dataclass(frozen=True)
class Places:
    """N places: what decides which of them are negatives of each other.

    Attributes:
        images: int [N], the number of each place's aerial image.
        positions: [N, P] Cartesian metres, NaN in rows that are unknown, or
            None where all are.
        same_place_metres: nearer places are no negatives.
        overlap: int [N, 4], the numbers of the aerial images that overlap
            about each place; None: that does not matter.
    """

    images: np.ndarray
    positions: np.ndarray | None = None
    same_place_metres: float = 0.0
    overlap: np.ndarray | None = None

    def __len__(self) -> int:
        """N."""
        return len(self.images)

    @classmethod
    def of(
        cls,
        pairs: Sequence[Pair],
        same_place_metres: float,
        exclude_overlap: bool = False,
    ) -> Places:
        """The places of pairs.

        Args:
            pairs: the records.
            same_place_metres: see the class.
            exclude_overlap: whether pairs that share a semi-positive are no
                negatives.

        Raises:
            UserError: where the pairs have none.
        """
        overlap = _overlap(pairs) if exclude_overlap else None
        images = aerial_images(pairs)
        return cls(images, positions(pairs), same_place_metres, overlap)

    def negatives(self, rows: np.ndarray) -> np.ndarray:
        """Which places of a batch are negatives of each other, bool [B, B].

        Args:
            rows: int [B], the batch's places.
        """
        return self._negatives(rows, rows)[0]

    def false_negatives(self, rows: slice, columns: slice) -> np.ndarray:
        """The places that are no negatives, a tile of them, bool [q, n]."""
        mask = self.images[rows, None] == self.images[columns]
        mask |= self._overlapping(rows, columns)
        if self._centred is not None and self.same_place_metres > 0:
            here, first = _known(self._centred[rows])
            there, second = _known(self._centred[columns])
            tree = cKDTree(there)
            for part in slices(len(here), _ROWS):  # all may be near each other
                near = cKDTree(here[part]).sparse_distance_matrix(
                    tree, self.same_place_metres, output_type="ndarray"
                )
                near = near[near["v"] < self.same_place_metres]
                mask[first[part][near["i"]], second[near["j"]]] = True
        return mask

    def require_negatives(self, data_dir: str = "") -> None:
        """Refuses training places of which none is a negative of any other.

        Args:
            data_dir: for the message.

        Raises:
            UserError: with the reason, and what can work.
        """
        count = len(self)
        if (self.images == self.images[0]).all():
            raise UserError(
                f"{data_dir}: all {count:,} training pairs share one"
                " aerial image, so there are no negatives to learn from; give"
                " pairs of two aerial images or more"
            )
        farthest = 0.0
        for rows in slices(count, _ROWS):
            found, apart = self._negatives(rows, slice(None))
            if found.any():
                return
            farthest = max(farthest, float(apart.max()))
        raise UserError(
            f"same_place_metres={self.same_place_metres:g}: all {count:,}"
            f" training places of {data_dir} lie nearer to each other"
            f" ({farthest:,.1f} m at most), so there are no negatives to learn"
            " from; give a smaller radius, or 0: then only a pair's own aerial"
            " image is right"
        )

    @functools.cached_property
    def _centred(self) -> np.ndarray | None:
        # A tree of UTM northings would waste their digits.
        if self.positions is None:
            return None
        return self.positions - np.nanmean(self.positions, axis=0)

    @functools.cached_property
    def shared(self) -> sparse.csr_matrix:
        """Which places' overlapping images these are, bool [N, images]."""
        if self.overlap is None:
            return sparse.csr_matrix((len(self), 0), dtype=np.int32)
        count, each = self.overlap.shape
        starts = np.arange(0, count * each + 1, each)
        ones = np.ones(count * each, np.int32)
        shape = count, int(self.overlap.max()) + 1
        return sparse.csr_matrix((ones, self.overlap.ravel(), starts), shape)

    def _overlapping(
        self, rows: slice | np.ndarray, columns: slice | np.ndarray
    ) -> np.ndarray:
        """Which places share an overlapping image, bool [q, n] or False."""
        if self.overlap is None:
            return np.zeros((1, 1), bool)
        return (self.shared[rows] @ self.shared[columns].T).toarray() > 0

    def _negatives(
        self, rows: slice | np.ndarray, columns: slice | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Some of the matrix, and the distances of places of two images."""
        negative = self.images[rows][:, None] != self.images[columns]
        negative &= ~self._overlapping(rows, columns)
        if self.positions is None:
            return negative, np.zeros(1)
        apart = cdist(self.positions[rows], self.positions[columns])
        # Written so that NaN, an unknown distance, is far enough.
        return negative & ~(apart < self.same_place_metres), apart * negative


def _overlap(pairs: Sequence[Pair]) -> np.ndarray:
    """Numbers of each pair's overlapping aerial images, int64 [N, 4]."""
    numbers: dict[Path, int] = {}
    found = []
    for pair in pairs:
        if pair.tiles is None:
            raise UserError(
                f"exclude_overlap: pair {pair.id} names no overlapping aerial"
                " images; leave it out but for vigor"
            )
        files = [tile.aerial for tile in pair.tiles.images]
        found.append([numbers.setdefault(f, len(numbers)) for f in files])
    return np.array(found, np.int64)


def _known(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are known, and their numbers."""
    rows = np.flatnonzero(np.isfinite(positions).all(axis=1))
    return positions[rows], rows
