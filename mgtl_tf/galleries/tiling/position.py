"""The coordinate system of a raster file, checked to be of the Earth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyproj
from pyproj.exceptions import CRSError

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import WGS84
from mgtl_tf.utils.plain_files import UnfitFileError, read_bytes

# Ellipsoids of the Earth differ by 0.02 % in size, other bodies by far more.
_SAME_BODY = 0.01
_MOST_BYTES = 2**16
REMEDY = (
    "reproject it with gdalwarp -t_srs, or give the right one with gdal_edit.py"
    " -a_srs EPSG:CODE"
)


def has_position(path: Path, dataset: Any) -> bool:
    """Whether a raster has a position, valid or not.

    Args:
        path: of the raster; a .prj file beside it is read.
        dataset: it, opened by rasterio.
    """
    if dataset.transform.is_identity:
        return bool(dataset.gcps[0]) or dataset.rpcs is not None
    return bool(_system_text(path, dataset))


def _system_text(path: Path, dataset: Any) -> str:
    """WKT of its coordinate system: its own, else of the .prj beside it."""
    if dataset.crs is not None:
        return dataset.crs.to_wkt()
    try:
        content = read_bytes(path.with_suffix(".prj"), _MOST_BYTES)
    except UnfitFileError:
        return ""
    return content.decode(errors="replace")


def earth_system(path: Path, dataset: Any) -> pyproj.CRS:
    """The geographic or projected system of a raster.

    Args:
        path: begins messages; a .prj file beside it is read.
        dataset: it, opened by rasterio.

    Raises:
        UserError: where it has no position, or none on the Earth.
    """
    transform = dataset.transform
    if transform.is_identity or transform.is_degenerate:
        raise UserError(
            f"{path}: has no affine transform, or a singular one; make one of"
            " its control points with gdalwarp, or give its corners with"
            " gdal_edit.py -a_ullr"
        )
    text = _system_text(path, dataset)
    if not text:
        raise UserError(
            f"{path}: has no coordinate system; give it one with gdal_edit.py"
            " -a_srs EPSG:CODE (or a .prj file beside it)"
        )
    try:
        system = pyproj.CRS.from_user_input(text)
    except CRSError as error:
        raise UserError(
            f"{path}: its coordinate system is not understood; {REMEDY}"
        ) from error
    base = system.source_crs if system.is_bound else system
    on_earth = (
        base is not None
        and (base.is_geographic or base.is_projected)
        and base.ellipsoid is not None
        and abs(base.ellipsoid.semi_major_metre / WGS84.a - 1) < _SAME_BODY
    )
    if not on_earth:
        raise UserError(
            f"{path}: its coordinate system {system.name!r}"
            f" ({system.type_name}) is no geographic or projected one of the"
            f" Earth; {REMEDY}"
        )
    return system
