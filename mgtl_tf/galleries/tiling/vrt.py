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

_MOST_BYTES = 64 * 2**20
_SIDES = ("xOff", "yOff", "xSize", "ySize")


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


def covered_parts(path: Path) -> np.ndarray | None:
    """What of a .vrt its sources fill, where the file itself doesn't say.

    GDAL returns zeros as data between sources, and reports a missing one as
    damage, or returns zeros for it too.

    Returns:
        left, top, right and bottom of each part, pixels, [K, 4]; None where
        the file has a mask or a value of no data, or not all is known.

    Raises:
        UserError: naming the first source file that is missing; or for a
            file that is no such XML.
    """
    root = read_xml(path, "make it anew with gdalbuildvrt", _MOST_BYTES)
    _require_sources(path, root)
    band = root.find("VRTRasterBand")
    masked = root.find("MaskBand") is not None
    if band is None or masked or band.find("NoDataValue") is not None:
        return None
    sources = [e for e in band if e.tag.endswith("Source")]
    places = [source.find("DstRect") for source in sources]
    if not places or None in places:
        return None
    try:
        parts = np.array(
            [[p.get(n) for n in _SIDES] for p in places if p is not None],
            np.float64,
        )
    except ValueError:
        return None
    if not np.isfinite(parts).all():
        return None
    parts[:, 2:] += parts[:, :2]
    return np.rint(parts)


def _require_sources(path: Path, root: ElementTree.Element) -> None:
    for element in root.iter():
        if element.tag not in ("SourceFilename", "SourceDataset"):
            continue
        name = (element.text or "").strip()
        # Not XML, archives and subdatasets.
        if not name or name.startswith(("<", "/vsi")) or ":" in name:
            continue
        relative = element.get("relativeToVRT", "0") == "1"
        source = path.parent / name if relative else Path(name)
        if not source.exists():
            raise UserError(
                f"{path}: its source {source} is missing; put it there"
                " or make the .vrt anew with gdalbuildvrt"
            )
