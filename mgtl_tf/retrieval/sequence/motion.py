"""Where a camera may be one frame later: a random walk over the places."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred

REACH = 3.0
"""Standard deviations of a step, beyond which there are none."""

ASTRAY = 0.01
"""Share of frames after which the camera may be anywhere."""

LEAST, MOST = 0.01, 1e6
"""Metres between frames; a step's square must be a number."""

# Of all places together; 12 bytes each.
_MOST_STEPS = 100_000_000


class Motion:
    """A random walk from place to place.

    From place i the camera comes to place j with a probability proportional
    to exp(-d^2 / (2 m^2)), where d is their distance and m `metres`: the
    direction is unknown, standing still is likely, and there are no steps
    beyond 3 m. With probability `ASTRAY` it is anywhere instead: after a gap
    in the recording, or where the belief was wrong.

    Args:
        coordinates: of the places, degrees, [N, 2]; NaN where unknown: there
            the camera never is.
        metres: m, about what the camera moves from frame to frame.

    Attributes:
        known: which places have a position, bool [N].
        openness: how far places thin out around each, [N]: 0 where as many
            lie within a step as around most, towards 1 where none does.

    Raises:
        UserError: where no place has a position, or so many lie within a step
            that they do not fit into memory.
    """

    def __init__(self, coordinates: np.ndarray, metres: float):
        if not LEAST <= metres <= MOST:
            raise UserError(
                f"metres_per_frame={metres:g}: must be metres from"
                f" {LEAST:g} to {MOST:,.0f}"
            )
        self.known = np.isfinite(coordinates).all(axis=1)
        if not self.known.any():
            raise UserError(
                "no place of the gallery has a position, which a sequence"
                " needs; index it with locations"
            )
        positions = earth_centred(*coordinates[self.known].T)
        self._steps, room = _steps(positions, metres)
        self.openness = np.zeros(len(coordinates))
        self.openness[self.known] = np.clip(1 - room / np.median(room), 0, 1)

    def uniform(self) -> np.ndarray:
        """Every place of known position is equally likely, [N]."""
        return self.known / self.known.sum()

    def after(self, belief: np.ndarray) -> np.ndarray:
        """Probabilities one frame later, [N], with the same sum.

        Args:
            belief: those now, [N].
        """
        total = belief.sum()
        moved = self.uniform() * ASTRAY * total
        moved[self.known] += (1 - ASTRAY) * (belief[self.known] @ self._steps)
        return moved * (total / max(moved.sum(), np.finfo(float).tiny))


def _steps(
    positions: np.ndarray, metres: float
) -> tuple[csr_array, np.ndarray]:
    """Probabilities from row to column, each row summing to 1, [n, n].

    And the weight of all places within a step of each, [n].
    """
    tree = cKDTree(positions)
    reach = REACH * metres
    if (count := int(tree.count_neighbors(tree, reach))) > _MOST_STEPS:
        raise UserError(
            f"metres_per_frame={metres:g}: {count / len(positions):,.0f}"
            " places lie within three such steps of each place; give fewer"
            " metres"
        )
    apart = tree.sparse_distance_matrix(tree, reach, output_type="ndarray")
    weights = np.exp(-(apart["v"] ** 2) / (2 * metres**2))
    sums = np.bincount(apart["i"], weights, minlength=len(positions))
    share = weights / sums[apart["i"]]
    size = (len(positions), len(positions))
    return csr_array((share, (apart["i"], apart["j"])), shape=size), sums
