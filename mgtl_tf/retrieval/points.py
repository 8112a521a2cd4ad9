"""Points inside the aerial images of answers, by a model's offset head."""

from __future__ import annotations

import dataclasses

import numpy as np

from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.answers import Answer, Point
from mgtl_tf.utils.geodesy import move

NO_SIDES = (
    "offset head: the gallery does not say what ground its images cover, so"
    " there is no point inside them; list them in a CSV file with the column"
    " side_metres, and index that"
)
"""A warning."""


def with_points(
    answers: tuple[Answer, ...],
    query: np.ndarray,
    rows: np.ndarray,
    index: Index,
    encoder: Encoder,
) -> tuple[Answer, ...]:
    """One query's answers with their points, where the model gives any.

    Args:
        answers: K of them.
        query: the query's descriptor, float32 [D].
        rows: of the answers in the gallery, int [K].
        index: the gallery.
        encoder: the model.
    """
    if not encoder.has_offsets or np.isnan(index.sides[rows]).all():
        return answers
    queries = np.broadcast_to(query, (len(rows), len(query)))
    shares, errors = encoder.offsets(queries, index.descriptors[rows])
    sides = index.sides[rows]
    east, north = shares.astype(np.float64).T * sides
    known = ~np.isnan(index.coordinates[rows]).any(axis=1)
    where = np.full((len(rows), 2), np.nan)
    there = np.isfinite(sides) & known
    where[there] = move(
        index.coordinates[rows][there], east[there], north[there]
    )
    return tuple(
        dataclasses.replace(answer, point=_point(metres, place))
        for answer, metres, place in zip(
            answers,
            np.stack([east, north, errors * sides], 1),
            where,
            strict=True,
        )
    )


def _point(metres: np.ndarray, where: np.ndarray) -> Point | None:
    east, north, error = map(float, metres)
    if np.isnan(east):
        return None
    latitude, longitude = map(float, where)
    known = None if np.isnan(latitude) else (latitude, longitude)
    return Point(east, north, known, error or None)
