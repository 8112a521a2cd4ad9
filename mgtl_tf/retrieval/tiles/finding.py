"""What --images names: files and folders of images, or maps to be cut."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.places import find_places
from mgtl_tf.retrieval.sources import FileSource
from mgtl_tf.retrieval.sources import ImageSource
from mgtl_tf.retrieval.sources import JoinedSource
from mgtl_tf.retrieval.tiles.crop_settings import CropSettings
from mgtl_tf.retrieval.tiles.crop_source import CropSource
from mgtl_tf.retrieval.tiles.geotiff import SUFFIXES
from mgtl_tf.retrieval.tiles.geotiff import GeoTiff
from mgtl_tf.retrieval.tiles.geotiff import is_georeferenced
from mgtl_tf.retrieval.tiles.map import Map
from mgtl_tf.retrieval.tiles.slippy import SlippyMap
from mgtl_tf.retrieval.tiles.slippy import is_tile_folder


def is_map(path: Path) -> bool:
    """Whether a path names a georeferenced TIFF or a folder of z/x/y tiles.

    Raises:
        UserError: for a TIFF file where rasterio, which can tell, is missing.
    """
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return is_georeferenced(path)
    return path.is_dir() and is_tile_folder(path)


def find_images(
    images: Sequence[Path | str],
    locations: Path | str | None,
    settings: Callable[[], CropSettings],
) -> ImageSource:
    """All images of a gallery: those of files first, then maps' crops.

    Args:
        images: image files, folders of them, CSV lists, GeoTIFF files, or
            folders of z/x/y tiles.
        locations: of the image files; see `places.find_places`.
        settings: gives how maps are cut; asked only where there is one.

    Raises:
        UserError: for paths that are wrong, a map that can't be cut or is
            smaller than a crop, or two of one name.
    """
    paths = [Path(image) for image in images]
    maps = [path for path in paths if is_map(path)]
    files = [path for path in paths if path not in maps]
    sources: list[ImageSource] = []
    if files or not maps:
        sources.append(FileSource(find_places(files, locations)))
    elif locations is not None:
        raise UserError(
            f"--locations={locations}: goes with image files; a map knows"
            " where its crops are"
        )
    if maps:
        sources += _cut(maps, settings())
    return sources[0] if len(sources) == 1 else JoinedSource(sources)


def _cut(paths: Sequence[Path], settings: CropSettings) -> list[ImageSource]:
    sources: list[ImageSource] = []
    seen: dict[str, Path] = {}
    for path in paths:
        area = _open(path, settings)
        if (other := seen.setdefault(area.name, path)) is not path:
            raise UserError(
                f"--images: {other} and {path} are both called {area.name!r},"
                " which begins their crops' ids; rename one"
            )
        source = CropSource(area, settings)
        if not len(source):
            raise UserError(
                f"--images={path}: no crop of {settings.crop_metres:g} m fits"
                " on this map; give a smaller --crop_metres (a file that is a"
                " single aerial image: list it in a CSV file)"
            )
        sources.append(source)
    return sources


def _open(path: Path, settings: CropSettings) -> Map:
    if path.is_dir():
        return SlippyMap(path, settings.metres_per_pixel)
    return GeoTiff(path)
