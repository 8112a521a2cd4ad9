"""What is asked about an upload: how many places, where, which way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mgtl_tf.serving.limits import Refused
from polar.text import shown

MOST_PLACES = 50
"""Of an answer."""

# Each number is read once, from text that can mean one thing only: digits of
# ASCII, and for a position its sign. int() and float() take far more.
_COUNT = re.compile(r"[1-9][0-9]?")
_METRES = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_DEGREES = r"(-?[0-9]{1,3}(?:\.[0-9]{1,16})?)"
_POSITION = re.compile(rf" *{_DEGREES} *, *{_DEGREES} *")
# A browser sends "on" for a box that is ticked.
_YES_OR_NO = {
    **dict.fromkeys(("on", "yes", "true", "1"), True),
    **dict.fromkeys(("off", "no", "false", "0"), False),
}
_FIELDS = ("top_k", "near", "radius", "unknown_heading")


@dataclass(frozen=True)
class Question:
    """The fields of a form or address, checked.

    Attributes:
        top_k: how many places are asked for.
        near: (latitude, longitude) in degrees around which to look, or None.
        radius: metres around `near`, or None.
        unknown_heading: whether north may be anywhere in the panorama.
    """

    top_k: int = 5
    near: tuple[float, float] | None = None
    radius: float | None = None
    unknown_heading: bool = False


def parse_question(fields: Mapping[str, str]) -> Question:
    """The question that fields ask; those left empty are as not there.

    Raises:
        Refused: 400, naming field, value and remedy.
    """
    for name in fields:
        if name not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise Refused(400, f"{_shown(name)}: no such field; give {known}")
    given = {k: v for k, v in fields.items() if v.strip(" ")}
    near, radius = _near(given), _radius(given)
    if (near is None) != (radius is None):
        raise Refused(400, "near and radius go together: give both or neither")
    return Question(_top_k(given), near, radius, _unknown_heading(given))


def _top_k(given: Mapping[str, str]) -> int:
    text = given.get("top_k", "5")
    if _COUNT.fullmatch(text) and int(text) <= MOST_PLACES:
        return int(text)
    raise Refused(
        400,
        f"top_k={_shown(text)}: give a whole number from 1 to {MOST_PLACES}",
    )


def _near(given: Mapping[str, str]) -> tuple[float, float] | None:
    if "near" not in given:
        return None
    if found := _POSITION.fullmatch(given["near"]):
        latitude, longitude = map(float, found.groups())
        if abs(latitude) <= 90 and abs(longitude) <= 180:
            return latitude, longitude
    raise Refused(
        400,
        f"near={_shown(given['near'])}: give latitude,longitude in degrees, as"
        " 46.948,7.447",
    )


def _radius(given: Mapping[str, str]) -> float | None:
    if "radius" not in given:
        return None
    text = given["radius"]
    if _METRES.fullmatch(text) and (metres := float(text)) > 0:
        return metres
    raise Refused(
        400,
        f"radius={_shown(text)}: give metres in digits, more than 0, as 500",
    )


def _unknown_heading(given: Mapping[str, str]) -> bool:
    text = given.get("unknown_heading", "no")
    if text.lower() not in _YES_OR_NO:
        raise Refused(400, f"unknown_heading={_shown(text)}: give yes or no")
    return _YES_OR_NO[text.lower()]


def _shown(text: str) -> str:
    """As much of what was sent as a reason quotes."""
    return shown(text[:40])
