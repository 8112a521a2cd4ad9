"""Where a raster lies: its coordinate system, and pixels to degrees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from pyproj.exceptions import CRSError, ProjError

from mgtl_tf.retrieval.tiling.frames import own_frames, world_frame
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import WGS84
from mgtl_tf.utils.plain_files import UnfitFileError, read_bytes

_DEGREES = "EPSG:4326"
# Ellipsoids of the Earth differ by 0.02 % in size, other bodies by far more.
_SAME_BODY = 0.01
_MOST_BYTES = 2**16
_HALF_MERCATOR = math.pi * WGS84.a
_REMEDY = (
    "reproject it with gdalwarp -t_srs, or give the right one with gdal_edit.py"
    " -a_srs"
)


class Position:
    """An affine transform into a coordinate system of the Earth.

    Args:
        path: of the raster; begins messages.
        dataset: it, opened by rasterio.

    Attributes:
        transform: (column, row) to the system, as (a, b, c, d, e, f).
        crs: the system, as WKT.

    Raises:
        UserError: where it has none, or one that says nothing of where on
            the Earth it lies.
    """

    def __init__(self, path: Path, dataset: Any):
        _require_affine(path, dataset)
        self.transform = tuple(dataset.transform)[:6]
        system = _earth_system(path, _system_text(path, dataset) or "")
        self.crs: str = system.to_wkt()
        size = dataset.width, dataset.height
        if system.to_epsg() == 3857 and _crosses(self.transform, size):
            system = _opposite_mercator()
            self.crs = system.to_wkt()
            a, b, c, d, e, f = self.transform
            side = math.copysign(_HALF_MERCATOR, c)
            self.transform = (a, b, c - side, d, e, f)
        self._to_map = _transformer(path, _DEGREES, system)
        self._to_degrees = _transformer(path, system, _DEGREES)
        self._turn = _full_turn(system)
        self._frames = own_frames(system)
        self._middle = self._system_x(np.array(size) / 2)
        if not np.isfinite(self.to_degrees(np.array(size) / 2)).all():
            raise UserError(
                f"{path}: lies outside of what its coordinate system"
                f" {system.name!r} covers; {_REMEDY}"
            )

    def _system_x(self, pixel: np.ndarray) -> float:
        a, b, c = self.transform[:3]
        return float(a * pixel[0] + b * pixel[1] + c)

    def to_pixels(self, degrees: np.ndarray) -> np.ndarray:
        """See `map.Map`."""
        x, y = self._to_map.transform(degrees[..., 1], degrees[..., 0])
        a, b, c, d, e, f = self.transform
        matrix = np.linalg.inv(np.array([[a, b], [d, e]]))
        # Infinity times nothing is no number.
        with np.errstate(invalid="ignore"):
            if self._turn:
                # Longitudes may be told from 0 to 360, or go on beyond 180.
                x = x - self._turn * np.round((x - self._middle) / self._turn)
            return np.stack([x - c, y - f], axis=-1) @ matrix.T

    def to_degrees(self, pixels: np.ndarray) -> np.ndarray:
        """See `map.Map`."""
        a, b, c, d, e, f = self.transform
        column, row = pixels[..., 0], pixels[..., 1]
        longitude, latitude = self._to_degrees.transform(
            a * column + b * row + c, d * column + e * row + f
        )
        latitude = np.where(np.abs(latitude) <= 90, latitude, np.inf)
        return np.stack([latitude, longitude], axis=-1)

    def frame(self, centre: tuple[float, float]) -> str:
        """See `map.Map`."""
        if self._frames is None:
            return world_frame(centre)
        x, y = self._to_map.transform(centre[1], centre[0])
        return self._frames.around(x, y)


def has_position(path: Path, dataset: Any) -> bool:
    """Whether a raster says, rightly or not, where it lies.

    Args:
        path: of the raster; a .prj file beside it is read.
        dataset: it, opened by rasterio.
    """
    if has_other_position(dataset):
        return True
    return has_transform(dataset) and bool(_system_text(path, dataset))


def _system_text(path: Path, dataset: Any) -> str | None:
    """WKT of its coordinate system: its own, else of the .prj beside it."""
    if dataset.crs is not None:
        return dataset.crs.to_wkt()
    beside = path.with_suffix(".prj")
    try:
        content = read_bytes(beside, _MOST_BYTES)
    except UnfitFileError:
        return None
    return content.decode(errors="replace")


def has_transform(dataset: Any) -> bool:
    """Whether a raster opened by rasterio has an affine transform."""
    return not dataset.transform.is_identity


def has_other_position(dataset: Any) -> bool:
    """Whether it has control points or polynomials instead of one."""
    return not has_transform(dataset) and bool(
        dataset.gcps[0] or dataset.rpcs is not None
    )


def _require_affine(path: Path, dataset: Any) -> None:
    if has_other_position(dataset):
        kind = "ground control points" if dataset.gcps[0] else "RPCs"
        raise UserError(
            f"{path}: has {kind} only, no affine transform; make one"
            " with gdalwarp"
        )
    if not has_transform(dataset):
        raise UserError(
            f"{path}: has no position (coordinate system and affine"
            " transform); give it one with gdal_translate or gdalwarp"
        )
    a, b, _, d, e, _ = tuple(dataset.transform)[:6]
    if not abs(a * e - b * d) > 0:
        raise UserError(f"{path}: its affine transform is singular")
    if not _system_text(path, dataset):
        raise UserError(
            f"{path}: has no coordinate system, so that nobody knows"
            " where it lies; give it one with gdal_edit.py -a_srs EPSG:CODE (or"
            " a .prj file beside it)"
        )


def _earth_system(path: Path, text: str) -> pyproj.CRS:
    """Geographic or projected, two-dimensional, of the Earth."""
    try:
        system = pyproj.CRS.from_user_input(text)
    except CRSError as error:
        raise UserError(
            f"{path}: its coordinate system is not understood; {_REMEDY}"
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


def _transformer(path: Path, source: Any, target: Any) -> pyproj.Transformer:
    try:
        return pyproj.Transformer.from_crs(source, target, always_xy=True)
    except ProjError as error:
        raise UserError(
            f"{path}: no way from its coordinate system to WGS 84; {_REMEDY}"
        ) from error


def _full_turn(system: pyproj.CRS) -> float:
    """360 degrees in a geographic system's own unit; 0 for others."""
    if not system.is_geographic:
        return 0.0
    return 2 * math.pi / system.axis_info[0].unit_conversion_factor


def _crosses(transform: Sequence[float], size: tuple[int, int]) -> bool:
    """Whether a raster in Web Mercator goes on beyond 180 degrees."""
    a, b, c = transform[:3]
    ends = [c + a * x + b * y for x in (0, size[0]) for y in (0, size[1])]
    return max(map(abs, ends)) > _HALF_MERCATOR


def _opposite_mercator() -> pyproj.CRS:
    """Web Mercator whose middle is the 180th meridian."""
    return pyproj.CRS.from_string(OPPOSITE_MERCATOR)


OPPOSITE_MERCATOR = (
    "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=180 +x_0=0 +y_0=0 +k=1"
    " +units=m +nadgrids=@null +no_defs"
)
"""Web Mercator around the 180th meridian, for what crosses it."""
