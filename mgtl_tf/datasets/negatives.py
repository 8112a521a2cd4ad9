"""Whether a data set holds any negatives to learn from (R15)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mgtl_tf.utils.errors import UserError

_ROWS = 128


def require_negatives(
    images: np.ndarray,
    positions: np.ndarray | None,
    same_place_metres: float,
    data_dir: str = "",
) -> None:
    """Refuses training pairs of which none is a negative of any other.

    Args:
        images: int [N], the number of each pair's aerial image.
        positions: [N, P] Cartesian metres, NaN in rows that are unknown, or
            None where all are.
        same_place_metres: nearer places are no negatives.
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
    if positions is None:
        return
    farthest = 0.0
    for wrong, apart in _tiles(images, positions):
        # Written so that NaN, an unknown distance, is far enough.
        if (wrong & ~(apart < same_place_metres)).any():
            return
        farthest = max(farthest, float(apart[wrong].max(initial=0)))
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
        images, positions, same_place_metres: as of `require_negatives`.
    """
    count = 0
    for rows in batches:
        wrong = images[rows][:, None] != images[rows]
        if positions is not None:
            apart = _apart(positions[rows], positions[rows])
            wrong &= ~(apart < same_place_metres)
        count += not wrong.any()
    return count


def _tiles(
    images: np.ndarray, positions: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Which pairs are of two images, and their distances, some rows a time."""
    for start in range(0, len(images), _ROWS):
        own = slice(start, start + _ROWS)
        wrong = images[own, None] != images
        yield wrong, _apart(positions[own], positions)


def _apart(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Distances, float64 [q, n]."""
    squared = np.zeros((len(here), len(there)))
    for a, b in zip(here.T, there.T, strict=True):
        squared += (a[:, None] - b) ** 2
    return np.sqrt(squared)
