"""What cameras note of a panorama in its metadata: Google's GPano, in XMP.

https://developers.google.com/streetview/spherical-metadata
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

_SPACE = "{http://ns.google.com/photos/1.0/panorama/}"
_HEADING = "PoseHeadingDegrees"
_SHOWN, _WHOLE = "CroppedAreaImageWidthPixels", "FullPanoWidthPixels"
_MOST_BYTES = 2**20


@dataclass(frozen=True)
class Panorama:
    """A panorama whose north is in the centre column.

    Attributes:
        pixels: RGB uint8 [h, w, 3].
        heading: degrees clockwise from north that the file says its own
            centre column looks to; the pixels are turned already. None
            where it says nothing: north is taken to be in the centre.
    """

    pixels: np.ndarray
    heading: float | None = None


def gpano_heading(xmp: bytes) -> float | None:
    """Degrees, 0 to below 360, that a panorama's centre looks to.

    Args:
        xmp: its XMP packet; b"" for none.

    Raises:
        ValueError: where the note is no angle, or says that the image is
            not a whole turn.
    """
    notes = _notes(xmp)
    shown, whole = (_number(notes.get(name)) for name in (_SHOWN, _WHOLE))
    if shown and whole and shown < whole:
        raise ValueError(
            f"shows {360 * shown / whole:.0f} of 360 degrees (GPano); a"
            " panorama must be a whole turn"
        )
    text = notes.get(_HEADING)
    if text is None:
        return None
    heading = _number(text)
    if heading is None or abs(heading) > 360:
        raise ValueError(
            f"{_HEADING}={text[:20]!r} (GPano) is no angle from 0 to 360"
            " degrees; mend or remove it"
        )
    return heading % 360


def rotate_to_north(pixels: np.ndarray, heading: float) -> np.ndarray:
    """A panorama turned by whole columns, so that north is in the centre.

    Args:
        pixels: [h, w, 3], a whole turn.
        heading: degrees that its centre column looks to.
    """
    columns = round(heading * pixels.shape[1] / 360)
    return np.roll(pixels, columns, axis=1)


def _notes(xmp: bytes) -> dict[str, str]:
    """GPano's properties, written as attributes or as elements."""
    if b"panorama/" not in xmp or len(xmp) > _MOST_BYTES:
        return {}
    found: dict[str, str] = {}
    try:
        if b"<!" in xmp:
            raise ValueError("has declarations")
        for element in ElementTree.fromstring(xmp.strip(b"\0 \r\n\t")).iter():
            for name, text in [*element.items(), (element.tag, element.text)]:
                if str(name).startswith(_SPACE) and text:
                    found[str(name).removeprefix(_SPACE)] = text.strip()
    except (ElementTree.ParseError, ValueError) as error:
        if _HEADING.encode() in xmp:
            raise ValueError(
                f"its GPano notes cannot be read ({error}); mend or remove them"
            ) from None
    return found


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
