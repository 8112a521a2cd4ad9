"""What a GDAL virtual raster (.vrt) is made of."""

from __future__ import annotations

from pathlib import Path

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.tiles.xml_files import read_xml

_MOST_BYTES = 64 * 2**20


def require_sources(path: Path) -> None:
    """Refuses a .vrt whose source files are not all there.

    GDAL itself takes missing ones for damage, or for black.

    Raises:
        UserError: naming the first one that is missing; or for a file that
            is no such XML.
    """
    root = read_xml(path, "make it anew with gdalbuildvrt", _MOST_BYTES)
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
                f"--images={path}: its source {source} is missing; put it there"
                " or make the .vrt anew with gdalbuildvrt"
            )


def _is_elsewhere(name: str) -> bool:
    """Whether it is no plain file: XML, an archive, a subdataset."""
    return not name or name.startswith(("<", "/vsi")) or ":" in name
