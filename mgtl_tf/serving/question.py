"""What is asked about an upload: how many places, where, which way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mgtl_tf.serving.limits import Refused

MOST_PLACES = 50
"""Of an answer."""


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
    given = {k: v.strip() for k, v in fields.items() if v.strip()}
    near, radius = _near(given), _radius(given)
    if (near is None) != (radius is None):
        raise Refused(400, "near and radius go together: give both or neither")
    return Question(_top_k(given), near, radius, _unknown_heading(given))


def _top_k(given: Mapping[str, str]) -> int:
    text = given.get("top_k", "5")
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_PLACES:
        raise Refused(
            400,
            f"top_k={text[:40]}: give a whole number from 1 to {MOST_PLACES}",
        )
    return int(text)


def _near(given: Mapping[str, str]) -> tuple[float, float] | None:
    if "near" not in given:
        return None
    parts = [_number(part) for part in given["near"].split(",")]
    if len(parts) == 2 and abs(parts[0]) <= 90 and abs(parts[1]) <= 180:
        return parts[0], parts[1]
    raise Refused(
        400,
        f"near={given['near'][:40]}: give latitude,longitude in degrees, as"
        " 46.948,7.447",
    )


def _radius(given: Mapping[str, str]) -> float | None:
    if "radius" not in given:
        return None
    radius = _number(given["radius"])
    if 0 < radius < math.inf:
        return radius
    raise Refused(
        400, f"radius={given['radius'][:40]}: give metres, more than 0"
    )


def _unknown_heading(given: Mapping[str, str]) -> bool:
    text = given.get("unknown_heading", "no").lower()
    # A browser sends "on" for a box that is ticked.
    found = {"on": True, "yes": True, "true": True, "1": True, "off": False}
    found |= {"no": False, "false": False, "0": False}
    if text not in found:
        raise Refused(400, f"unknown_heading={text[:40]}: give yes or no")
    return found[text]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
