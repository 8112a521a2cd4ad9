"""Answers as text for people.

Names are escaped by `polar.text`: a table has no control characters.
"""

from __future__ import annotations

from collections.abc import Sequence

from mgtl_tf.retrieval.answers import Located, Point
from polar.text import printable

_HEADER = "similarity    latitude   longitude  metres from 1"
_EXTRA = {"heading": "{:.0f}°", "probability": "{:.4f}"}


def as_table(located: Sequence[Located]) -> str:
    """Text for people: one block an image, the true place marked."""
    return "\n\n".join(_block(query) for query in located)


def _block(query: Located) -> str:
    ids = [printable(answer.place.id) for answer in query.answers]
    width = max([2, *map(len, ids)])
    extra = [
        name
        for name in _EXTRA
        if all(getattr(answer, name) is not None for answer in query.answers)
    ]
    titles = "".join(f"  {name:>11}" for name in extra)
    lines = [
        printable(query.image),
        f"{'rank':>4}  {'id':<{width}}  {_HEADER}{titles}",
    ]
    for name, answer in zip(ids, query.answers, strict=True):
        cells = [_EXTRA[e].format(getattr(answer, e)) for e in extra]
        metres, where = answer.metres_from_first, answer.place.coordinates
        degrees = ["-", "-"] if where is None else [f"{d:.6f}" for d in where]
        lines.append(
            f"{answer.rank:>4}  {name:<{width}}  {answer.similarity:>10.4f}"
            f"  {degrees[0]:>10}  {degrees[1]:>10}"
            f"  {'-' if metres is None else f'{metres:,.1f}':>13}"
            + "".join(f"  {cell:>11}" for cell in cells)
            + ("  true place" if query.is_true(answer) else "")
        )
    if (point := query.answers[0].point) is not None:
        lines.append(point_text(point))
    if query.heading_read is not None:
        lines.append(
            f"heading from the file (GPano): {query.heading_read:g}°, turned to"
            " north"
        )
    lines.append(_confidence(query))
    if query.truth_rank is not None:
        name = printable(query.truth)
        lines.append(f"true place: {name}, rank {query.truth_rank}")
    return "\n".join(lines)


def _confidence(query: Located) -> str:
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


def point_text(point: Point) -> str:
    """A point inside the first answer's image, as a sentence."""
    where = ""
    if point.coordinates is not None:
        where = "at {:.6f}, {:.6f}, ".format(*point.coordinates)
    east = f"{abs(point.east):.1f} m {'east' if point.east > 0 else 'west'}"
    north = f"{abs(point.north):.1f} m"
    north += f" {'north' if point.north > 0 else 'south'}"
    error = "its error was not measured"
    if point.expected_error is not None:
        error = f"expected error {point.expected_error:.1f} m"
    return (
        f"if answer 1 is right, taken {where}{east} and {north} of its centre;"
        f" {error}"
    )
