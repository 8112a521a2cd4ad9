"""What a gallery of overlapping aerial images is measured by (VIGOR).

A panorama's own tile is the positive; three others, semi-positives, overlap
it. In recall at K they are wrong. Besides:

- hit: the semi-positives are ignored, and no other tile is at least as near
  as the positive (the code of VIGOR, Sample4Geo, GeoDTR+);
- hit_any_of_4: the first tile is one of the four (VimGeo's);
- within_10m: the centre of the first tile lies within 10 m of the panorama;
- first_metres: how far that centre is;
- ceiling_within_10m, ceiling_metres: both where the positive is always found:
  what centre-only prediction can reach.

With an offset head, which predicts a point inside the first tile, also

- point_within_10m, point_metres: of that point;
- own_point_within_10m, own_point_metres, own_point_sides: of the point that
  is predicted inside the positive, the last in sides of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mgtl_tf import metrics
from mgtl_tf.datasets.records import Pair, aerial_positions, positions
from mgtl_tf.evaluation.positives import PositivesWithin, image_positions
from mgtl_tf.evaluation.tile_points import (
    METRES,
    Predictor,
    TileMap,
    measure_points,
)
from mgtl_tf.utils.scorers import DOT, Scorer


def measure_tiles(
    ground: np.ndarray,
    gallery: np.ndarray,
    rows: Sequence[Pair],
    images: np.ndarray,
    scorer: Scorer = DOT,
    predict: Predictor | None = None,
) -> dict[str, np.ndarray]:
    """Figures of every query, bool or float64 [Q], by the module's names.

    Args:
        ground: descriptors of the panoramas, [Q, D].
        gallery: of the distinct aerial images, [N, D].
        rows: the Q pairs, all with tiles, then those of the distractors.
        images: int [R], the number of each row's image.
        scorer: the system's.
        predict: of the offset head; None: there is none.

    Raises:
        ValueError: for a pair without tiles, and as `metrics.ranks`.
    """
    pairs, count = rows[: len(ground)], len(gallery)
    number = dict(zip((row.aerial for row in rows), images, strict=True))
    four = _four(pairs, number)
    queries = np.arange(len(pairs))
    own = metrics.PositivePairs(queries, four[:, 0])
    semi, any_of_4 = (
        metrics.PositivePairs(*_there(queries, part))
        for part in (four[:, 1:], four)
    )
    place, _ = metrics.ranks(ground, gallery, own, scorer, ignored=semi)
    any_place, _ = metrics.ranks(ground, gallery, any_of_4, scorer)
    found = {"hit": place == 1, "hit_any_of_4": any_place == 1}
    here, centres = positions(pairs), aerial_positions(rows)
    if here is None or centres is None:
        return found
    there = image_positions(centres, images, count)
    near, _ = metrics.ranks(
        ground, gallery, PositivesWithin(here, there, METRES), scorer
    )
    apart = np.linalg.norm(here - there[four[:, 0]], axis=1)
    points = measure_points(
        ground,
        gallery,
        pairs,
        four[:, 0],
        TileMap(rows, images, count),
        predict,
        scorer,
    )
    return {
        **found,
        "within_10m": near == 1,
        "ceiling_within_10m": apart <= METRES,
        "ceiling_metres": apart,
        **points,
    }


def summary(tiles: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Means of these figures, and medians of those that are metres."""
    found = {name: float(values.mean()) for name, values in tiles.items()}
    return found | {
        f"{name}_median": float(np.median(values))
        for name, values in tiles.items()
        if name.endswith("metres")
    }


def tile_lines(tiles: Mapping[str, float]) -> list[str]:
    """The `summary` of these figures as text, a line each."""
    lines = [
        f"hit rate by VIGOR's code: {100 * tiles['hit']:.2f} % (semi-positives"
        " ignored, no other tile at least as near as the positive)",
        f"hit rate, any of four: {100 * tiles['hit_any_of_4']:.2f} % (the first"
        " tile is the positive or a semi-positive)",
    ]
    if "within_10m" in tiles:
        lines += [
            f"first tile's centre: {_metres(tiles, 'first_', '')}",
            f"with perfect retrieval: {_metres(tiles, 'ceiling_')} (the ceiling"
            " of centre-only prediction, which needs no resolution)",
        ]
    if "point_metres" in tiles:
        lines += [
            f"offset head, in the first tile: {_metres(tiles, 'point_')}",
            "offset head, with perfect retrieval:"
            f" {_metres(tiles, 'own_point_')}",
        ]
    return lines


def _metres(
    tiles: Mapping[str, float], name: str, near: str | None = None
) -> str:
    """Share within 10 m, mean and median of a figure."""
    near = name if near is None else near
    mean, median = tiles[f"{name}metres"], tiles[f"{name}metres_median"]
    return (
        f"{100 * tiles[f'{near}within_10m']:.2f} % within {METRES:g} m of the"
        f" panorama, mean {mean:,.1f} m, median {median:,.1f} m"
    )


def _four(pairs: Sequence[Pair], number: Mapping) -> np.ndarray:
    """Gallery rows of each pair's positive and semi-positives, int [Q, 4].

    -1 where one is not in the gallery: of partial data tiles can be missing.
    """
    found = np.empty((len(pairs), 4), np.int64)
    for row, pair in enumerate(pairs):
        if pair.tiles is None:
            raise ValueError(f"pair {pair.id} has no tiles")
        for column, tile in enumerate(pair.tiles.images):
            found[row, column] = number.get(tile.aerial, -1)
    return found


def _there(queries: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Queries and gallery rows int [n] of rows [Q, k] that are not -1."""
    known = rows >= 0
    return np.broadcast_to(queries[:, None], rows.shape)[known], rows[known]
