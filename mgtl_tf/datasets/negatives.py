"""Which pairs of places are negatives of each other (R15).

Places that share an aerial image are none, nor are places nearer to each
other than a radius. A place of unknown position is near to itself alone.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.top_k import slices

_ROWS = 128


def negatives_of(
    images: np.ndarray, positions: np.ndarray | None, same_place_metres: float
) -> np.ndarray:
    """Which places of a batch are negatives of each other, bool [B, B].

    Args:
        images: int [B], the number of each place's aerial image.
        positions: [B, P] Cartesian metres, NaN in rows that are unknown, or
            None where all are.
        same_place_metres: nearer places are no negatives.
    """
    return _negatives(slice(None), images, positions, same_place_metres)[0]


class FalseNegativeMask:
    """The pairs of places that are no negatives, tile by tile.

    Args:
        images, positions, same_place_metres: as of `negatives_of`, [N].
    """

    def __init__(
        self,
        images: np.ndarray,
        positions: np.ndarray | None,
        same_place_metres: float,
    ):
        self.images = images
        self.metres = same_place_metres
        self.positions = None
        if positions is not None and same_place_metres > 0:
            # Centred: a tree of UTM northings would waste their digits.
            self.positions = positions - np.nanmean(positions, axis=0)

    def within(self, rows: slice, columns: slice) -> np.ndarray:
        """The mask of a tile, bool [q, n]: places `rows` by `columns`."""
        mask = self.images[rows, None] == self.images[columns]
        if self.positions is not None:
            here, first = _known(self.positions[rows])
            there, second = _known(self.positions[columns])
            tree = cKDTree(there)
            for part in slices(len(here), _ROWS):  # all may be near each other
                near = cKDTree(here[part]).sparse_distance_matrix(
                    tree, self.metres, output_type="ndarray"
                )
                near = near[near["v"] < self.metres]
                mask[first[part][near["i"]], second[near["j"]]] = True
        return mask


def require_negatives(
    images: np.ndarray,
    positions: np.ndarray | None,
    same_place_metres: float,
    data_dir: str = "",
) -> None:
    """Refuses training pairs of which none is a negative of any other.

    Args:
        images, positions, same_place_metres: as of `negatives_of`, [N].
        data_dir: for the message.

    Raises:
        UserError: with the reason, and what can work.
    """
    count = len(images)
    if (images == images[0]).all():
        raise UserError(
            f"{data_dir}: all {count:,} training pairs share one"
            " aerial image, so there are no negatives to learn from; give"
            " pairs of two aerial images or more"
        )
    farthest = 0.0
    for rows in slices(count, _ROWS):
        found, apart = _negatives(rows, images, positions, same_place_metres)
        if found.any():
            return
        farthest = max(farthest, float(apart.max()))
    raise UserError(
        f"same_place_metres={same_place_metres:g}: all {count:,} training"
        f" places of {data_dir} lie nearer to each other ({farthest:,.1f} m at"
        " most), so there are no negatives to learn from; give a smaller"
        " radius, or 0: then only a pair's own aerial image is right"
    )


def without_negatives(
    batches: np.ndarray,
    images: np.ndarray,
    positions: np.ndarray | None,
    same_place_metres: float,
) -> int:
    """How many batches hold no negative at all, and so teach nothing.

    Args:
        batches: int [steps, B], rows of each.
        images, positions, same_place_metres: as of `negatives_of`, [N].
    """
    return sum(
        not negatives_of(
            images[rows],
            None if positions is None else positions[rows],
            same_place_metres,
        ).any()
        for rows in batches
    )


def _negatives(
    rows: slice,
    images: np.ndarray,
    positions: np.ndarray | None,
    same_place_metres: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Some rows of the matrix, and the distances of places of two images."""
    negative = images[rows, None] != images
    if positions is None:
        return negative, np.zeros(1)
    apart = cdist(positions[rows], positions)
    # Written so that NaN, an unknown distance, is far enough.
    return negative & ~(apart < same_place_metres), apart * negative


def _known(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are known, and their numbers."""
    rows = np.flatnonzero(np.isfinite(positions).all(axis=1))
    return positions[rows], rows
