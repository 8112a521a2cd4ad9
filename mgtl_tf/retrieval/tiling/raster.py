"""A georeferenced file (GeoTIFF, VRT, JPEG 2000 ...), read by windows."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.retrieval.galleries.sources import LeftOut
from mgtl_tf.retrieval.tiling.map import Window, require_tiles_extra
from mgtl_tf.retrieval.tiling.position import Position
from mgtl_tf.retrieval.tiling.raster_bands import RasterBands
from mgtl_tf.retrieval.tiling.vrt import covered_parts, require_sources
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import degree_metres


class MissingCodecError(UserError):
    """A raster in a compression that the installed GDAL does not read."""


# What does not decide a pixel, and may come and go.
_BESIDES = (".aux.xml", ".ovr")


class RasterMap:
    """A georeferenced raster file, in any coordinate system of the Earth.

    Args:
        path: of the file.

    Attributes:
        path: of the file.
        bands: which of them are colours; see there.
        name, width, height, transform, crs, notes: see `map.Map`.

    Raises:
        UserError: where it can't be read, has no position, or colours that
            can't be known.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.name = self.path.stem
        self._dataset: Any = None
        self._parts = None
        if self.path.suffix.lower() == ".vrt":
            require_sources(self.path)
            self._parts = covered_parts(self.path)
        with open_raster(self.path) as dataset:
            _require_one(self.path, dataset)
            self.width, self.height = dataset.width, dataset.height
            self._position = Position(self.path, dataset)
            self.bands = _bands(self.path, dataset)
            self._files = [
                Path(name)
                for name in dataset.files
                if not name.endswith(_BESIDES)
            ]
        self.transform = self._position.transform
        self.crs = self._position.crs
        self.notes: tuple[str, ...] = tuple(filter(None, [self.bands.note]))
        self.to_pixels = self._position.to_pixels
        self.to_degrees = self._position.to_degrees
        self.frame = self._position.frame

    def read(
        self, left: int, top: int, right: int, bottom: int, coarsest: float = 1
    ) -> Window:
        """See `map.Map`."""
        from rasterio.enums import Resampling
        from rasterio.windows import Window as Part

        # Only now: in the thread that reads, which is always the same.
        self._dataset = self._dataset or open_raster(self.path)
        width, height = right - left, bottom - top
        step = max(1, int(coarsest)) if self.bands.palette is None else 1
        shape = -(-height // step), -(-width // step)
        part: dict[str, Any] = {"window": Part(left, top, width, height)}
        if step > 1:
            # Overviews are used where there are any.
            part |= {"out_shape": shape, "resampling": Resampling.average}
        try:
            pixels, mask = self.bands.read(self._dataset, part)
        except _errors() as error:
            raise LeftOut(
                f"{self.path} is damaged there ({reason(error)})"
            ) from error
        factors = width / shape[1], height / shape[0]
        if self._parts is not None:
            mask *= _covered(self._parts, (left, top), shape, factors)
        return Window(left, top, pixels, mask, factors)

    def close(self) -> None:
        """See `map.Map`."""
        if self._dataset is not None:
            self._dataset.close()
            self._dataset = None

    def pixel_metres(self) -> float:
        """Of a pixel's side on the ground, in the raster's middle."""
        middle = np.array([self.width, self.height]) / 2
        here, there = self.to_degrees(
            np.array([middle - [0.5, 0.5], middle + [0.5, 0.5]])
        )
        degree = np.array(degree_metres(here[0]))
        return float(np.hypot(*((there - here) * degree)) / 2**0.5)

    def describe(self) -> dict[str, Any]:
        """See `map.Map`."""
        return {
            "map": self.path.name,
            "map's bytes": sum(path.stat().st_size for path in self._files),
            "map's pixels": f"{self.width} x {self.height}",
        }

    def stamp(self) -> str:
        """See `map.Map`."""
        times = " ".join(str(f.stat().st_mtime_ns) for f in self._files)
        return f"{self.path} {times}"


def open_raster(path: Path) -> Any:
    """A file opened by rasterio, which complains of nothing.

    Raises:
        UserError: where it isn't installed, or does not take the file.
    """
    rasterio = require_tiles_extra(path)
    try:
        with warnings.catch_warnings():
            # It warns where a file has no position.
            warnings.simplefilter("ignore")
            return rasterio.open(path)
    except rasterio.errors.RasterioError as error:
        text = reason(error)
        if found := re.search(r"missing codec (?:of code )?(\w+)", text):
            raise MissingCodecError(
                f"{path}: is compressed with {found[1]}, which the"
                " installed GDAL cannot read; write it anew, where that can be"
                " read, with gdal_translate -co COMPRESS=DEFLATE"
            ) from error
        raise UserError(
            f"{path}: cannot be opened as a map ({text})"
        ) from error


def _covered(
    parts: Sequence[tuple[int, int, int, int]],
    first: tuple[int, int],
    shape: tuple[int, int],
    step: tuple[float, float],
) -> np.ndarray:
    """1 where one of the parts lies, else 0: uint8 [h, w]."""
    x = first[0] + (np.arange(shape[1]) + 0.5) * step[0]
    y = first[1] + (np.arange(shape[0]) + 0.5) * step[1]
    found = np.zeros(shape, np.uint8)
    for left, top, right, bottom in parts:
        columns = slice(*np.searchsorted(x, [left, right]).tolist())
        rows = slice(*np.searchsorted(y, [top, bottom]).tolist())
        found[rows, columns] = 1
    return found


def reason(error: BaseException) -> str:
    """What GDAL said, in a phrase: rasterio may only point to it."""
    error = error.__cause__ or error
    text = getattr(error, "errmsg", None) or str(error)
    return " ".join(text.split()).rstrip(".")


def _errors() -> Any:
    import rasterio.errors

    return rasterio.errors.RasterioError


def _require_one(path: Path, dataset: Any) -> None:
    if len(dataset.subdatasets) > 1:
        raise UserError(
            f"{path}: holds {len(dataset.subdatasets)} pages or"
            " layers; give each as a file of its own (gdal_translate -sds)"
        )


def _bands(path: Path, dataset: Any) -> RasterBands:
    try:
        return RasterBands(path, dataset)
    except _errors() as error:
        raise UserError(f"{path}: is damaged ({reason(error)})") from error
