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
    " -a_srs"
)


def has_position(path: Path, dataset: Any) -> bool:
    """Whether a raster has a position, valid or not.

    Args:
        path: of the raster; a .prj file beside it is read.
        dataset: it, opened by rasterio.
    """
    if _control_points(dataset):
        return True
    return has_transform(dataset) and bool(_system_text(path, dataset))


def has_transform(dataset: Any) -> bool:
    """Whether a raster opened by rasterio has an affine transform."""
    return not dataset.transform.is_identity


def _control_points(dataset: Any) -> str:
    """What a raster has instead of an affine transform; or ""."""
    if has_transform(dataset):
        return ""
    if dataset.gcps[0]:
        return "ground control points"
    return "RPCs" if dataset.rpcs is not None else ""


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
    """The geographic or projected system of a raster with a transform.

    Args:
        path: begins messages; a .prj file beside it is read.
        dataset: it, opened by rasterio.

    Raises:
        UserError: where it has no position, or none on the Earth.
    """
    if kind := _control_points(dataset):
        raise UserError(
            f"{path}: has {kind} only, no affine transform; make one"
            " with gdalwarp"
        )
    if not has_transform(dataset):
        raise UserError(
            f"{path}: has no position (coordinate system and affine"
            " transform); give it one with gdal_translate or gdalwarp"
        )
    if dataset.transform.is_degenerate:
        raise UserError(f"{path}: its affine transform is singular")
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
    if base is None or not (base.is_geographic or base.is_projected):
        raise UserError(
            f"{path}: its coordinate system {system.name!r}"
            f" ({system.type_name}) is not tied to the Earth; give the one that"
            " it is in with gdal_edit.py -a_srs EPSG:CODE"
        )
    axis = base.ellipsoid.semi_major_metre if base.ellipsoid else 0.0
    if abs(axis / WGS84.a - 1) > _SAME_BODY:
        raise UserError(
            f"{path}: its coordinate system {system.name!r} is of"
            f" another body than the Earth (radius {axis / 1000:,.0f} km)"
        )
    return system
