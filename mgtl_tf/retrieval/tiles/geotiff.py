"""A GeoTIFF as a map: any coordinate system, rotated, of several bands."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyproj

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.sources import LeftOut
from mgtl_tf.retrieval.tiles.map import Window
from mgtl_tf.retrieval.tiles.map import require_tiles_extra

SUFFIXES = (".tif", ".tiff", ".gtif", ".gtiff")

_DEGREES = "EPSG:4326"


def is_georeferenced(path: Path) -> bool:
    """Whether a TIFF file says where it lies; others are mere images.

    Raises:
        UserError: where rasterio, which can tell, isn't installed.
    """
    rasterio = require_tiles_extra(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It warns where it does not.
            with rasterio.open(path) as dataset:
                return _is_georeferenced(dataset)
    except rasterio.errors.RasterioError:
        return False


class GeoTiff:
    """A georeferenced raster file, read window by window.

    Of the bands red, green and blue are taken, by what the file calls them,
    else the first three; a single one is grey, or looked up in its palette.

    Args:
        path: of the file.

    Attributes:
        path: of the file.
        name, width, height, transform, crs: see `map.Map`.

    Raises:
        UserError: where it can't be read, has no position or no bands of 8
            bits.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.name = self.path.stem
        self._rasterio = require_tiles_extra(path)
        self._dataset: Any = None
        with self._open() as dataset:
            self.width, self.height = dataset.width, dataset.height
            self.transform = tuple(dataset.transform)[:6]
            self.crs = _position(self.path, dataset)
            self._bands = _bands(self.path, dataset)
            self._palette = _palette(dataset, self._bands)
        system = pyproj.CRS.from_user_input(self.crs)
        self._to_map = pyproj.Transformer.from_crs(
            _DEGREES, system, always_xy=True
        )
        self._to_degrees = pyproj.Transformer.from_crs(
            system, _DEGREES, always_xy=True
        )

    def _open(self) -> Any:
        try:
            return self._rasterio.open(self.path)
        except self._rasterio.errors.RasterioError as error:
            raise UserError(f"--images={self.path}: {error}") from error

    def to_pixels(self, degrees: np.ndarray) -> np.ndarray:
        """See `map.Map`."""
        x, y = self._to_map.transform(degrees[..., 1], degrees[..., 0])
        a, b, c, d, e, f = self.transform
        matrix = np.linalg.inv(np.array([[a, b], [d, e]]))
        # Infinity times nothing is no number.
        with np.errstate(invalid="ignore"):
            return np.stack([x - c, y - f], axis=-1) @ matrix.T

    def to_degrees(self, pixels: np.ndarray) -> np.ndarray:
        """See `map.Map`."""
        a, b, c, d, e, f = self.transform
        column, row = pixels[..., 0], pixels[..., 1]
        longitude, latitude = self._to_degrees.transform(
            a * column + b * row + c, d * column + e * row + f
        )
        return np.stack([latitude, longitude], axis=-1)

    def read(self, left: int, top: int, right: int, bottom: int) -> Window:
        """See `map.Map`."""
        from rasterio.windows import Window as Part

        # Only now: in the thread that reads, which is always the same.
        self._dataset = self._dataset or self._open()
        part = Part(left, top, right - left, bottom - top)
        try:
            pixels = self._dataset.read(self._bands, window=part)
            mask = self._dataset.dataset_mask(window=part)
        except self._rasterio.errors.RasterioError as error:
            raise LeftOut(f"{self.path} is damaged there ({error})") from error
        if self._palette is not None:
            pixels = np.moveaxis(self._palette[pixels[0]], -1, 0)
        return Window(left, top, pixels, mask)

    def describe(self) -> dict[str, Any]:
        """See `map.Map`."""
        return {
            "map": self.path.name,
            "map's bytes": self.path.stat().st_size,
            "map's pixels": f"{self.width} x {self.height}",
        }

    def stamp(self) -> str:
        """See `map.Map`."""
        return f"{self.path} {self.path.stat().st_mtime_ns}"


def _position(path: Path, dataset: Any) -> str:
    """The coordinate system, as WKT."""
    if not _is_georeferenced(dataset):
        raise UserError(
            f"--images={path}: has no position (coordinate system and affine"
            " transform); give it one with gdal_translate or gdalwarp"
        )
    return dataset.crs.to_wkt()


def _is_georeferenced(dataset: Any) -> bool:
    return dataset.crs is not None and not dataset.transform.is_identity


def _bands(path: Path, dataset: Any) -> list[int]:
    """Numbers of the red, green and blue bands, from 1."""
    names = [color.name for color in dataset.colorinterp]
    if {"red", "green", "blue"} <= set(names):
        bands = [names.index(c) + 1 for c in ("red", "green", "blue")]
    elif dataset.count >= 3:
        bands = [1, 2, 3]
    else:
        bands = [1, 1, 1]
    kinds = {dataset.dtypes[band - 1] for band in bands}
    if kinds != {"uint8"}:
        raise UserError(
            f"--images={path}: bands of {', '.join(sorted(kinds))}; convert it"
            " with gdal_translate -ot Byte -scale"
        )
    return bands


def _palette(dataset: Any, bands: list[int]) -> np.ndarray | None:
    """RGB of each value, uint8 [256, 3]; None where values are colours."""
    if bands != [1, 1, 1] or dataset.colorinterp[0].name != "palette":
        return None
    table = np.zeros((256, 3), np.uint8)
    for value, color in dataset.colormap(1).items():
        table[value] = color[:3]
    return table
