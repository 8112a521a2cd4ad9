"""What a GDAL virtual raster (.vrt) is made of; reading XML files."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import (
    UnfitFileError,
    damaged,
    first_line,
    read_bytes,
)


def read_xml(path: Path, remedy: str, largest: int) -> ElementTree.Element:
    """The root element of an XML file.

    Args:
        path: of the file.
        remedy: ends the message.
        largest: most bytes that are read.

    Raises:
        UserError: naming the file, what is wrong and the remedy.
    """
    try:
        content = read_bytes(path, largest)
        # Entities that grow are of a document type; maps' files have none.
        if b"<!ENTITY" in content:
            raise UnfitFileError("declares entities")
        return ElementTree.fromstring(content)
    except UnfitFileError as reason:
        raise damaged(path, reason, remedy) from reason
    except (ElementTree.ParseError, ValueError) as error:
        raise damaged(path, f"no XML: {first_line(error)}", remedy) from error


_REMEDY = "make it anew with gdalbuildvrt"
_MOST_BYTES = 64 * 2**20


def require_sources(path: Path) -> None:
    """Refuses a .vrt whose source files are not all there.

    GDAL itself takes missing ones for damage, or for black.

    Raises:
        UserError: naming the first one that is missing; or for a file that
            is no such XML.
    """
    root = read_xml(path, _REMEDY, _MOST_BYTES)
    for element in root.iter():
        if element.tag not in ("SourceFilename", "SourceDataset"):
            continue
        name = (element.text or "").strip()
        if _is_elsewhere(name):
            continue
        relative = element.get("relativeToVRT", "0") == "1"
        source = path.parent / name if relative else Path(name)
        if not source.exists():
            raise UserError(
                f"{path}: its source {source} is missing; put it there"
                " or make the .vrt anew with gdalbuildvrt"
            )


def covered_parts(path: Path) -> list[tuple[int, int, int, int]] | None:
    """What of a .vrt its sources fill: left, top, right, bottom of each.

    GDAL gives zeros as data between them where the file says no value of no
    data.

    Returns:
        None where it says one, or has a mask, or not all is told.
    """
    root = read_xml(path, _REMEDY, _MOST_BYTES)
    band = root.find("VRTRasterBand")
    if (
        band is None
        or root.find("MaskBand") is not None
        or band.find("NoDataValue") is not None
    ):
        return None
    parts = []
    for source in band.iter():
        if not source.tag.endswith("Source"):
            continue
        place = source.find("DstRect")
        if place is None:
            return None
        x, y, width, height = (
            float(place.get(name, "nan"))
            for name in ("xOff", "yOff", "xSize", "ySize")
        )
        if not np.isfinite([x, y, width, height]).all():
            return None
        parts.append((round(x), round(y), round(x + width), round(y + height)))
    return parts or None


def _is_elsewhere(name: str) -> bool:
    """Whether it is no plain file: XML, an archive, a subdataset."""
    return not name or name.startswith(("<", "/vsi")) or ":" in name
