"""How far answers within aerial images are from where panoramas stand (VIGOR).

Centre-only prediction answers with the centre of the first aerial image; an
offset head with a point inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf.datasets.records import Pair, positions
from mgtl_tf.evaluation.positives import image_positions
from mgtl_tf.utils.geodesy import earth_centred, move
from mgtl_tf.utils.scorers import DOT, Scorer
from mgtl_tf.utils.top_k import slices, top_k

Predictor = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Descriptors [n, D] of panoramas and of aerial images to offsets [n, 2], as
of `CrossViewModel.predict_offsets`."""

METRES = 10.0
"""The quoted point of VIGOR's curve of metres."""

_ROWS = 1024


class TileMap:
    """Where the distinct aerial images of a gallery lie.

    Args:
        rows: the pairs and distractors.
        images: int [R], the number of each row's image.
        count: N.

    Attributes:
        centres: latitude and longitude, degrees, float64 [N, 2].
        sides: ground that each covers, metres, float64 [N].
    """

    def __init__(self, rows: Sequence[Pair], images: np.ndarray, count: int):
        known = (p.tiles.images[0] if p.tiles else p for p in rows)
        unknown = np.nan, np.nan
        degrees = np.array([c.coordinates or unknown for c in known])
        sides = np.array([[row.side_metres or np.nan] for row in rows])
        self.centres = image_positions(degrees, images, count)
        self.sides = image_positions(sides, images, count)[:, 0]

    def points(self, numbers: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Cartesian metres of points inside images, float64 [n, 3].

        Args:
            numbers: of the images, int [n].
            offsets: d0, d1 in half sides, [n, 2].
        """
        south, west = (offsets * self.sides[numbers, None] / 2).T
        degrees = move(self.centres[numbers], -west, -south)
        return earth_centred(*degrees.T)


def measure_points(
    ground: np.ndarray,
    gallery: np.ndarray,
    pairs: Sequence[Pair],
    own: np.ndarray,
    tiles: TileMap,
    predict: Predictor | None = None,
    scorer: Scorer = DOT,
) -> dict[str, np.ndarray]:
    """Metres of every query, float64 or bool [Q], by `tile_ranks`' names.

    Args:
        ground, gallery: descriptors [Q, D], [N, D].
        pairs: the queries.
        own: int [Q], the number of each one's own image.
        tiles: the gallery's images.
        predict: of the offset head; None: centres alone.
        scorer: the system's.
    """
    here = positions(pairs)
    first = top_k(ground, gallery, 1, scorer=scorer)[0][:, 0]
    centre = np.zeros((len(pairs), 2))

    def apart(numbers: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        return np.linalg.norm(here - tiles.points(numbers, offsets), axis=1)

    found = {"first_metres": apart(first, centre)}
    if predict is None:
        return found
    for name, numbers in (("point", first), ("own_point", own)):
        metres = apart(numbers, _offsets(predict, ground, gallery, numbers))
        found[f"{name}_metres"] = metres
        found[f"{name}_within_10m"] = metres <= METRES
    # By side: images of other resolutions are expected to err alike.
    found["own_point_sides"] = found["own_point_metres"] / tiles.sides[own]
    return found


def _offsets(
    predict: Predictor,
    ground: np.ndarray,
    gallery: np.ndarray,
    numbers: np.ndarray,
) -> np.ndarray:
    parts = [
        predict(ground[rows], gallery[numbers[rows]])
        for rows in slices(len(ground), _ROWS)
    ]
    return np.concatenate(parts).astype(np.float64)


def offset_predictor(model: keras.Model) -> Predictor | None:
    """A model's offset head as a function of arrays; None without one."""
    if model.offset_head is None:
        return None

    def predict(ground: np.ndarray, satellite: np.ndarray) -> np.ndarray:
        found = model.predict_offsets(
            tf.constant(ground), tf.constant(satellite)
        )
        return found.numpy()

    return predict
