"""The fields of a request beside its image: how many places, where, heading.

Each is read from text that can mean one thing only: digits of ASCII, and for
a position its sign. int(), float() and pydantic take far more. They are
described in static/openapi.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mgtl_tf.serving.limits import Refused
from polar.text import printable

_DEGREES = r"-?[0-9]{1,3}(?:\.[0-9]{1,16})?"
_NO = ("off", "no", "false", "0")


@dataclass(frozen=True)
class RequestFields:
    """The fields of a form or address, checked; see `Localizer.locate`."""

    top_k: int = 5
    near: tuple[float, float] | None = None
    radius: float | None = None
    unknown_heading: bool = False


def _position(text: str) -> tuple[float, float] | None:
    latitude, longitude = map(float, text.split(","))
    inside = abs(latitude) <= 90 and abs(longitude) <= 180
    return (latitude, longitude) if inside else None


# By field: the pattern of its text, its value (None: refused) and what it may
# be.
_FIELDS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "top_k": ("[1-9]|[1-4][0-9]|50", int, "a whole number from 1 to 50"),
    "near": (
        f" *{_DEGREES} *, *{_DEGREES} *",
        _position,
        "latitude,longitude in degrees, as 46.948,7.447",
    ),
    "radius": (
        r"[0-9]{1,9}(\.[0-9]{1,9})?",
        lambda text: float(text) or None,
        "metres in digits, more than 0, as 500",
    ),
    # A browser sends "on" for a box that is ticked.
    "unknown_heading": (
        "(?i:on|yes|true|1|off|no|false|0)",
        lambda text: text.lower() not in _NO,
        "yes or no",
    ),
}


def parse_fields(fields: Mapping[str, str]) -> RequestFields:
    """The fields of a request; those left empty are as not there.

    Raises:
        Refused: 400, naming field, value and remedy.
    """
    values: dict[str, Any] = {}
    for name, text in fields.items():
        if name not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise Refused(
                400, f"{printable(name[:40])}: no such field; give {known}"
            )
        if not text.strip(" "):
            continue
        pattern, convert, wanted = _FIELDS[name]
        value = convert(text) if re.fullmatch(pattern, text) else None
        if value is None:
            raise Refused(400, f"{name}={printable(text[:40])}: give {wanted}")
        values[name] = value
    if ("near" in values) != ("radius" in values):
        raise Refused(400, "near and radius go together: give both or neither")
    return RequestFields(**values)
