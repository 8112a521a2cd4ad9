"""Answers as a table, JSON, GeoJSON and CSV.

Names are escaped by `polar.text`: any file name gives valid UTF-8.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.answer_text import as_table
from mgtl_tf.retrieval.answers import Answer, Located, Point
from polar.text import csv_text, utf8_text

_POINT_COLUMNS = (
    "point_latitude",
    "point_longitude",
    "point_east",
    "point_north",
    "point_expected_error",
)


def as_json(located: Sequence[Located]) -> str:
    """A JSON list, one object an image; unknown values are null."""
    return json.dumps([plain(query) for query in located], indent=2)


def plain(query: Located) -> dict[str, Any]:
    """One query's answers as JSON takes them."""
    return {
        "image": utf8_text(query.image),
        "truth": None if query.truth is None else utf8_text(query.truth),
        "truth_rank": query.truth_rank,
        "confidence": _rounded(query.confidence, 4),
        "confidence_metres": query.confidence_metres,
        "outside_share": query.outside_share,
        "no_confidence": query.no_confidence or None,
        "seconds": round(query.seconds, 4),
        "heading_read": _rounded(query.heading_read, 2),
        "answers": [_plain_answer(answer) for answer in query.answers],
    }


def _plain_answer(answer: Answer) -> dict[str, Any]:
    latitude, longitude = answer.place.coordinates or (None, None)
    return {
        "rank": answer.rank,
        "id": utf8_text(answer.place.id),
        "image": utf8_text(answer.place.image),
        "latitude": latitude,
        "longitude": longitude,
        "similarity": round(answer.similarity, 6),
        "metres_from_first": _rounded(answer.metres_from_first, 2),
        "heading": _rounded(answer.heading, 2),
        "probability": _rounded(answer.probability, 6),
        "point": _plain_point(answer.point),
    }


def _plain_point(point: Point | None) -> dict[str, float | None] | None:
    if point is None:
        return None
    latitude, longitude = point.coordinates or (None, None)
    return {
        "latitude": _rounded(latitude, 8),
        "longitude": _rounded(longitude, 8),
        "east": round(point.east, 2),
        "north": round(point.north, 2),
        "expected_error": _rounded(point.expected_error, 2),
    }


def as_geojson(located: Sequence[Located]) -> str:
    """A GeoJSON FeatureCollection (RFC 7946), one feature an answer.

    A place without coordinates is a feature whose geometry is null. The
    confidence is a property of the first answer only.
    """
    return _collection(_points(located))


def as_path_geojson(located: Sequence[Located]) -> str:
    """The same of a drive's frames, after their path, a LineString.

    It goes through the frames' first answers; there is none of fewer than
    two frames.
    """
    line = [_point(frame.answers[0].place) for frame in located]
    path = _feature(
        {
            "type": "LineString",
            "coordinates": [point["coordinates"] for point in line if point],
        },
        {"frames": [utf8_text(frame.image) for frame in located]},
    )
    paths = [path] if len(located) > 1 else []
    return _collection(paths + _points(located))


def _collection(features: list[dict[str, Any]]) -> str:
    collection = {"type": "FeatureCollection", "features": features}
    return json.dumps(collection, indent=2)


def _feature(
    geometry: dict[str, Any] | None, properties: dict[str, Any]
) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _points(located: Sequence[Located]) -> list[dict[str, Any]]:
    # The position is the geometry, the image its own file.
    geometry = ("latitude", "longitude", "image")
    return [
        _feature(
            _point(answer.place),
            {k: v for k, v in _row(query, answer).items() if k not in geometry},
        )
        for query in located
        for answer in query.answers
    ]


def _point(place: Place) -> dict[str, Any] | None:
    if place.coordinates is None:
        return None
    latitude, longitude = place.coordinates
    # GeoJSON has longitude first.
    return {"type": "Point", "coordinates": [longitude, latitude]}


def _row(query: Located, answer: Answer) -> dict[str, Any]:
    confidence = query.confidence if answer.rank == 1 else None
    return {
        "query": utf8_text(query.image),
        **_plain_answer(answer),
        "confidence": _rounded(confidence, 4),
        "confidence_metres": query.confidence_metres,
        "outside_share": query.outside_share,
        "is_true_place": query.is_true(answer),
    }


def as_csv(located: Sequence[Located], raw: bool = False) -> str:
    """One line an answer, with a header; unknown values are empty.

    Args:
        located: the queries, at least one.
        raw: whether names that a spreadsheet would take for formulas stay as
            they are, instead of getting an apostrophe first.
    """
    rows = [_row(query, a) for query in located for a in query.answers]
    points = [row.pop("point") for row in rows]
    if any(points):
        for row, point in zip(rows, points, strict=True):
            row |= {n: (point or {}).get(n[6:]) for n in _POINT_COLUMNS}
    cells: list[Iterable[Any]] = [
        rows[0].keys(),
        *(row.values() for row in rows),
    ]
    return csv_text(cells, raw).removesuffix("\n")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


FORMATS: dict[str, Callable[[Sequence[Located]], str]] = {
    "table": as_table,
    "json": as_json,
    "geojson": as_geojson,
    "csv": as_csv,
    "raw_csv": functools.partial(as_csv, raw=True),
}
"""By the names that --format takes, and raw_csv."""

PATH_FORMATS = {**FORMATS, "geojson": as_path_geojson}
"""The same for the frames of one drive."""
