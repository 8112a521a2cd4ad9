"""A georeferenced file (GeoTIFF, VRT, JPEG 2000 ...), read by windows."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pyproj.exceptions import ProjError

from mgtl_tf.galleries.sources import LeftOut
from mgtl_tf.galleries.tiling.map import Map, Window
from mgtl_tf.galleries.tiling.position import REMEDY, earth_system
from mgtl_tf.galleries.tiling.raster_bands import RasterBands
from mgtl_tf.galleries.tiling.vrt import covered_parts
from mgtl_tf.utils.errors import UserError

# What does not decide a pixel, and may come and go.
_BESIDES = (".aux.xml", ".ovr")


class GdalError(UserError):
    """A raster that the installed GDAL cannot read, whatever its content."""


class RasterMap(Map):
    """A georeferenced raster file, in any coordinate system of the Earth.

    Args:
        path: of the file.

    Attributes:
        bands: which of them are colours; see there.

    Raises:
        UserError: where it can't be read, has no position, or colours that
            can't be known.
    """

    def __init__(self, path: Path | str):
        path = Path(path)
        self._dataset: Any = None
        is_virtual = path.suffix.lower() == ".vrt"
        self._parts = covered_parts(path) if is_virtual else None
        with open_raster(path) as dataset:
            if (count := len(dataset.subdatasets)) > 1:
                raise UserError(
                    f"{path}: holds {count} pages or layers; give each as a"
                    " file of its own (gdal_translate -sds)"
                )
            self._locate(path, dataset)
            with _damage(path, UserError):
                self.bands = RasterBands(path, dataset)
            files = (n for n in dataset.files if not n.endswith(_BESIDES))
            self.files = [Path(name) for name in files]
        self.notes = tuple(filter(None, [self.bands.note]))

    def _locate(self, path: Path, dataset: Any) -> None:
        system = earth_system(path, dataset)
        size = dataset.width, dataset.height
        transform = tuple(dataset.transform)[:6]
        try:
            super().__init__(path, path.stem, size, transform, system)
            known = np.isfinite(self.to_degrees(np.array(size) / 2)).all()
        except ProjError:
            known = False
        if not known:
            raise UserError(
                f"{path}: lies outside of what its coordinate system"
                f" {system.name!r} covers; {REMEDY}"
            )

    def read(
        self, left: int, top: int, right: int, bottom: int, coarsest: float = 1
    ) -> Window:
        """See `Map`."""
        from rasterio.enums import Resampling
        from rasterio.windows import Window as Part

        # Only now: in the thread that reads, which is always the same.
        self._dataset = self._dataset or open_raster(self.path)
        width, height = right - left, bottom - top
        step = max(1, int(coarsest)) if self.bands.palette is None else 1
        shape = -(-height // step), -(-width // step)
        part: dict[str, Any] = {"window": Part(left, top, width, height)}
        if step > 1:  # Overviews are used where there are any.
            part |= {"out_shape": shape, "resampling": Resampling.average}
        with _damage(self.path, LeftOut):
            pixels = self.bands.read(self._dataset, part)
        factors = width / shape[1], height / shape[0]
        if self._parts is not None:
            x = left + (np.arange(shape[1]) + 0.5) * factors[0]
            y = top + (np.arange(shape[0]) + 0.5) * factors[1]
            pixels[..., 3] *= _covered(self._parts, x, y)
        return Window(left, top, pixels, factors)

    def close(self) -> None:
        """See `Map`."""
        if self._dataset is not None:
            self._dataset.close()
            self._dataset = None


def open_raster(path: Path) -> Any:
    """A file opened by rasterio, without its warnings.

    Raises:
        GdalError: where rasterio isn't installed or lacks the file's codec.
        UserError: where it does not take the file.
    """
    try:
        import rasterio
    except ImportError as error:
        raise GdalError(
            f"{path}: cutting a map needs rasterio; give pip install"
            " -e '.[tiles]'"
        ) from error
    try:
        with warnings.catch_warnings():
            # It warns where a file has no position.
            warnings.simplefilter("ignore")
            return rasterio.open(path)
    except rasterio.errors.RasterioError as error:
        text = _reason(error)
        if found := re.search(r"missing codec (?:of code )?(\w+)", text):
            raise GdalError(
                f"{path}: is compressed with {found[1]}, which the"
                " installed GDAL cannot read; write it anew, where that can be"
                " read, with gdal_translate -co COMPRESS=DEFLATE"
            ) from error
        raise UserError(
            f"{path}: cannot be opened as a map ({text})"
        ) from error


@contextmanager
def _damage(path: Path, kind: type[Exception]) -> Iterator[None]:
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        raise kind(f"{path} is damaged ({_reason(error)})") from error


def _covered(parts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """1 where one of the parts [K, 4] lies, else 0: uint8 [h, w]."""
    found = np.zeros((len(y), len(x)), np.uint8)
    for left, top, right, bottom in parts:
        columns = slice(*np.searchsorted(x, [left, right]))
        rows = slice(*np.searchsorted(y, [top, bottom]))
        found[rows, columns] = 1
    return found


def _reason(error: BaseException) -> str:
    """What GDAL said, in a phrase: rasterio may only point to it."""
    error = error.__cause__ or error
    text = getattr(error, "errmsg", None) or str(error)
    return " ".join(text.split()).rstrip(".")
