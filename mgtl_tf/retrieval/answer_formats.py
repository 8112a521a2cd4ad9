"""How answers are told: to people, to programs, to maps, to spreadsheets.

Names are spelled as `polar.text` tells: any file name gives text that UTF-8
takes, and a table that does nothing to a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mgtl_tf.retrieval.answers import Answer, Located
from mgtl_tf.retrieval.galleries.places import Place
from polar.text import csv_text, shown, spelled

_HEADER = "similarity    latitude   longitude  metres from 1"
_EXTRA = {"heading": "{:.0f}°", "probability": "{:.4f}"}
_COLUMNS = (
    "query",
    "rank",
    "id",
    "image",
    "latitude",
    "longitude",
    "similarity",
    "metres_from_first",
    "heading",
    "probability",
    "confidence",
    "confidence_metres",
    "outside_share",
    "is_true_place",
)


def as_table(located: Sequence[Located]) -> str:
    """Text for people: one block an image, the true place marked."""
    return "\n\n".join(_block(query) for query in located)


def _block(query: Located) -> str:
    ids = [shown(answer.place.id) for answer in query.answers]
    width = max([2, *map(len, ids)])
    extra = [
        (title, form, [getattr(a, title) for a in query.answers])
        for title, form in _EXTRA.items()
    ]
    known = [(t, f, v) for t, f, v in extra if None not in v]
    titles = "".join(f"  {title:>11}" for title, _, _ in known)
    header = f"{'rank':>4}  {'id':<{width}}  {_HEADER}{titles}"
    lines = [shown(query.image), header]
    for i, answer in enumerate(query.answers):
        more = "".join(f"  {f.format(v[i]):>11}" for _, f, v in known)
        mark = "  true place" if _is_true(query, answer) else ""
        lines.append(
            f"{answer.rank:>4}  {ids[i]:<{width}}"
            f"  {answer.similarity:>10.4f}  {_degrees(answer.place)}"
            f"  {_metres(answer.metres_from_first):>13}{more}{mark}"
        )
    if query.heading_read is not None:
        lines.append(
            f"its file says that its centre looks {query.heading_read:g}°"
            " (GPano): turned to north"
        )
    lines.append(_certainty(query))
    if query.truth_rank is not None:
        name = shown(query.truth)
        lines.append(f"true place: {name}, rank {query.truth_rank}")
    return "\n".join(lines)


def _certainty(query: Located) -> str:
    if query.confidence is None:
        return f"no confidence: {query.no_confidence}"
    return (
        f"taken within {query.confidence_metres:g} m of answer 1 with"
        f" probability {100 * query.confidence:.0f} %, {presumed(query)}"
    )


def presumed(query: Located) -> str:
    """What a confidence presumes, as a clause."""
    if not query.outside_share:
        return "if the gallery has its place"
    return (
        f"if {100 * query.outside_share:g} % of queries are from places that"
        " the gallery lacks"
    )


def _degrees(place: Place) -> str:
    if place.coordinates is None:
        return f"{'-':>10}  {'-':>10}"
    latitude, longitude = place.coordinates
    return f"{latitude:>10.6f}  {longitude:>10.6f}"


def _metres(metres: float | None) -> str:
    return "-" if metres is None else f"{metres:,.1f}"


def as_json(located: Sequence[Located]) -> str:
    """A JSON list, one object an image; unknown values are null."""
    return json.dumps([plain(query) for query in located], indent=2)


def plain(query: Located) -> dict[str, Any]:
    """One query's answers as JSON takes them."""
    return {
        "image": spelled(query.image),
        "truth": None if query.truth is None else spelled(query.truth),
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
        "id": spelled(answer.place.id),
        "similarity": round(answer.similarity, 6),
        "latitude": latitude,
        "longitude": longitude,
        "metres_from_first": _rounded(answer.metres_from_first, 2),
        "heading": _rounded(answer.heading, 2),
        "probability": _rounded(answer.probability, 6),
        "image": spelled(answer.place.image),
    }


def as_geojson(located: Sequence[Located]) -> str:
    """A GeoJSON FeatureCollection (RFC 7946), one feature an answer.

    A place without coordinates is a feature whose geometry is null. The
    confidence stands with the first answer, whose it is.
    """
    return _collection(_points(located))


def as_path_geojson(located: Sequence[Located]) -> str:
    """The same of a drive's frames, and first the path, a LineString.

    It goes through the frames' first answers; of fewer than two frames
    there is none.
    """
    line = [_point(frame.answers[0].place) for frame in located]
    path = {
        "type": "Feature",
        "geometry": {
            "type": "LineString",
            "coordinates": [point["coordinates"] for point in line if point],
        },
        "properties": {"frames": [spelled(frame.image) for frame in located]},
    }
    paths = [path] if len(located) > 1 else []
    return _collection(paths + _points(located))


def _collection(features: list[dict[str, Any]]) -> str:
    collection = {"type": "FeatureCollection", "features": features}
    return json.dumps(collection, indent=2)


def _points(located: Sequence[Located]) -> list[dict[str, Any]]:
    return [
        {
            "type": "Feature",
            "geometry": _point(answer.place),
            "properties": _properties(query, answer),
        }
        for query in located
        for answer in query.answers
    ]


def _properties(query: Located, answer: Answer) -> dict[str, Any]:
    confidence = query.confidence if answer.rank == 1 else None
    return {
        "query": spelled(query.image),
        "rank": answer.rank,
        "id": spelled(answer.place.id),
        "similarity": round(answer.similarity, 6),
        "metres_from_first": _rounded(answer.metres_from_first, 2),
        "heading": _rounded(answer.heading, 2),
        "probability": _rounded(answer.probability, 6),
        "confidence": _rounded(confidence, 4),
        "confidence_metres": query.confidence_metres,
        "outside_share": query.outside_share,
        "is_true_place": _is_true(query, answer),
    }


def _point(place: Place) -> dict[str, Any] | None:
    if place.coordinates is None:
        return None
    latitude, longitude = place.coordinates
    # GeoJSON has longitude first.
    return {"type": "Point", "coordinates": [longitude, latitude]}


def as_csv(located: Sequence[Located], raw: bool = False) -> str:
    """One line an answer, with a header; unknown values are empty.

    Args:
        located: the queries.
        raw: whether names that a spreadsheet would take for formulas stay as
            they are, instead of getting an apostrophe first.
    """
    rows = [
        _plain_answer(answer) | _properties(query, answer)
        for query in located
        for answer in query.answers
    ]
    cells = ([row[column] for column in _COLUMNS] for row in rows)
    return csv_text([_COLUMNS, *cells], raw).removesuffix("\n")


def as_raw_csv(located: Sequence[Located]) -> str:
    """The same, names as they are."""
    return as_csv(located, raw=True)


def _is_true(query: Located, answer: Answer) -> bool | None:
    return None if query.truth is None else answer.place.id == query.truth


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


FORMATS = {
    "table": as_table,
    "json": as_json,
    "geojson": as_geojson,
    "csv": as_csv,
    "raw_csv": as_raw_csv,
}
"""How answers may be told: the names that --format takes, and raw_csv."""

PATH_FORMATS = {**FORMATS, "geojson": as_path_geojson}
"""The same for the frames of one drive."""
