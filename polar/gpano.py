"""The heading in a panorama's metadata: Google's GPano, in XMP.

https://developers.google.com/streetview/spherical-metadata
"""

from __future__ import annotations

import math
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

_NAMESPACE = "{http://ns.google.com/photos/1.0/panorama/}"
_HEADING = "PoseHeadingDegrees"
_MOST_BYTES = 2**20


class Panorama(NamedTuple):
    """A panorama whose north is in the centre column.

    Attributes:
        pixels: RGB uint8 [h, w, 3].
        heading: degrees clockwise from north of the file's own centre column,
            before the pixels were rotated; None where it states nothing.
    """

    pixels: np.ndarray
    heading: float | None = None


def gpano_heading(xmp: bytes) -> float | None:
    """Degrees, 0 to below 360, of a panorama's centre column.

    Args:
        xmp: its XMP packet; b"" for none.

    Raises:
        ValueError: where the heading is no angle, or the image does not
            cover 360 degrees.
    """
    found = _properties(xmp)
    shown = _number(found.get("CroppedAreaImageWidthPixels"))
    full = _number(found.get("FullPanoWidthPixels"))
    if shown and full and shown < full:
        raise ValueError(
            f"shows {360 * shown / full:.0f} of 360 degrees (GPano); a"
            " panorama must cover all of them"
        )
    text = found.get(_HEADING)
    if text is None:
        return None
    heading = _number(text)
    if heading is None or abs(heading) > 360:
        raise ValueError(
            f"{_HEADING}={text[:20]!r} (GPano) is no angle from 0 to 360"
            " degrees; correct or remove it"
        )
    return heading % 360


def rotate_to_north(pixels: np.ndarray, heading: float) -> np.ndarray:
    """A panorama rotated by columns, so that north is in the centre.

    Args:
        pixels: [h, w, 3], 360 degrees.
        heading: of its centre column, degrees.
    """
    columns = round(heading * pixels.shape[1] / 360)
    return np.roll(pixels, columns, axis=1)


def _properties(xmp: bytes) -> dict[str, str]:
    """GPano's properties, written as attributes or as elements."""
    if b"panorama/" not in xmp or len(xmp) > _MOST_BYTES:
        return {}
    found: dict[str, str] = {}
    try:
        if b"<!" in xmp:
            raise ValueError("has declarations")
        for element in ElementTree.fromstring(xmp.strip(b"\0 \r\n\t")).iter():
            for name, text in [*element.items(), (element.tag, element.text)]:
                if str(name).startswith(_NAMESPACE) and text:
                    found[str(name).removeprefix(_NAMESPACE)] = text.strip()
    except (ElementTree.ParseError, ValueError) as error:
        if _HEADING.encode() in xmp:
            raise ValueError(
                f"its GPano metadata cannot be read ({error}); correct or"
                " remove them"
            ) from None
    return found


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
