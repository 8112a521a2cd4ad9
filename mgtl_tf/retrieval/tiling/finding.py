"""Images, or the crops of maps, as the candidates of a gallery."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mgtl_tf.retrieval.galleries.places import find_places
from mgtl_tf.retrieval.galleries.sources import (
    FileSource,
    ImageSource,
    JoinedSource,
)
from mgtl_tf.retrieval.tiling.crop_settings import CropSettings
from mgtl_tf.retrieval.tiling.crop_source import CropSource
from mgtl_tf.retrieval.tiling.map import Sheets
from mgtl_tf.retrieval.tiling.position import has_position, has_transform
from mgtl_tf.retrieval.tiling.raster import (
    MissingCodecError,
    RasterMap,
    open_raster,
)
from mgtl_tf.retrieval.tiling.slippy import SlippyMap
from mgtl_tf.retrieval.tiling.tile_files import is_tile_folder, is_zoom_folder
from mgtl_tf.utils.errors import UserError
from polar.band_colors import require_bright

_TIFF = (".tif", ".tiff", ".gtif", ".gtiff")
_MAPS_ONLY = (".vrt", ".jp2", ".img")
# Images, as a rule; maps where a file beside them has their position.
_IMAGES = (".jpg", ".jpeg", ".png")
_WORLD_FILES = (".wld", ".jgw", ".jpgw", ".jpegw", ".pgw", ".pngw")


def is_map(path: Path) -> bool:
    """Whether a path names a georeferenced raster, or a folder of one.

    A folder is a map where it holds z/x/y tiles, or sheets: rasters that
    all are georeferenced.

    Raises:
        UserError: for a folder only some of whose rasters are; where
            rasterio is missing or lacks a codec.
    """
    if path.is_dir():
        return is_tiles(path) or bool(sheet_files(path))
    if not path.is_file():
        return False
    return path.suffix.lower() in _MAPS_ONLY or (
        _may_be_map(path, _names(path.parent)) and _is_georeferenced(path)
    )


def is_tiles(path: Path) -> bool:
    """Whether a path is a folder of z/x/y tiles, or one of its levels."""
    return path.is_dir() and (is_tile_folder(path) or is_zoom_folder(path))


def open_map(
    path: Path, settings: CropSettings, tile_rows: str | None = None
) -> Sheets:
    """The map that a path names.

    Args:
        path: of which `is_map` holds.
        settings: of the crops.
        tile_rows: see `tile_scheme`.

    Raises:
        UserError: saying why it can't be cut.
    """
    if is_tiles(path):
        tiles = SlippyMap(path, settings.metres_per_pixel, tile_rows)
        return Sheets(tiles.name, [tiles])
    maps = [
        RasterMap(p) for p in (sheet_files(path) if path.is_dir() else [path])
    ]
    _require_depth(maps)
    if not path.is_dir():
        return Sheets(path.stem, maps)
    # Where two show the same ground, the finer one does.
    maps.sort(key=lambda area: float(f"{area.pixel_metres():.2g}"))
    return Sheets(path.resolve().name, maps)


def _require_depth(maps: Sequence[RasterMap]) -> None:
    """Refuses 16 bits whose depth is neither stated nor shown by a pixel."""
    unknown = [m for m in maps if m.bands.brightest is not None]
    if unknown:
        try:
            require_bright(max(m.bands.brightest or 0 for m in unknown))
        except ValueError as error:
            raise UserError(f"{unknown[0].path}: {error}") from error


def sheet_files(folder: Path) -> list[Path]:
    """The sheets in a folder, by name; none where its files are images.

    Raises:
        UserError: where some have a position and some have not.
    """
    names = _names(folder)
    files = [p for p in sorted(folder.iterdir()) if _may_be_map(p, names)]
    sheets = [path for path in files if _is_georeferenced(path)]
    if sheets and len(sheets) < len(files):
        other = next(path for path in files if path not in sheets)
        open_raster(other).close()  # A damaged file raises here.
        raise UserError(
            f"{folder}: {sheets[0].name} has a position and"
            f" {other.name} has none; give a folder of map sheets or one of"
            " images"
        )
    return sheets


def _names(folder: Path) -> set[str]:
    return {path.name.lower() for path in folder.iterdir()}


def _may_be_map(path: Path, names: set[str]) -> bool:
    """By its suffix, and for images by the files beside it."""
    suffix, stem = path.suffix.lower(), path.stem.lower()
    if suffix in _IMAGES:
        beside = {path.name.lower() + ".aux.xml"}
        beside |= {stem + suffix for suffix in _WORLD_FILES}
        return path.is_file() and bool(beside & names)
    return suffix in (*_TIFF, ".jp2") and path.is_file()


def _is_georeferenced(path: Path) -> bool:
    try:
        with open_raster(path) as dataset:
            return has_position(path, dataset)
    except MissingCodecError:
        raise
    except UserError as error:
        if isinstance(error.__cause__, ImportError):
            raise
        # The reader of images will say why; or it is no raster at all.
        return False


def _why_no_map(path: Path) -> str:
    """What a raster file lacks to be a map, in parentheses; or ""."""
    if not path.is_file() or path.suffix.lower() not in (*_TIFF, *_IMAGES):
        return ""
    try:
        with open_raster(path) as dataset:
            if not has_transform(dataset):
                what = "position"
            elif has_position(path, dataset):
                return ""
            else:
                what = "coordinate system"
    except UserError as error:
        return f" ({error})"
    return (
        f" ({path.name} has no {what}; give it one with gdal_edit.py -a_srs"
        " EPSG:CODE -a_ullr ..., or omit the setting if it is one image)"
    )


def find_images(
    images: Sequence[Path | str],
    locations: Path | str | None,
    settings: Callable[[], CropSettings],
    map_settings: Mapping[str, Any] | None = None,
) -> ImageSource:
    """All images of a gallery: those of files first, then maps' crops.

    Args:
        images: image files, folders of them, CSV lists, georeferenced
            rasters, folders of their sheets, or folders of z/x/y tiles.
        locations: of the image files; see `places.find_places`.
        settings: gives how maps are cut; called only where there is one.
        map_settings: what applies to maps alone, by its name; None where
            it was not given. "tile_rows" is used here.

    Raises:
        UserError: for paths that are wrong, settings that can't apply, a map
            that can't be cut or is smaller than a crop, or two of one name.
    """
    paths = [Path(image) for image in images]
    maps = [path for path in paths if is_map(path)]
    files = [path for path in paths if path not in maps]
    given = {n: v for n, v in (map_settings or {}).items() if v is not None}
    for name, value in given.items():
        if not maps:
            reason = next(filter(None, map(_why_no_map, files)), "")
            raise UserError(
                f"{name}={value}: applies to maps, and no image is one{reason}"
            )
        if name == "tile_rows" and not any(map(is_tiles, maps)):
            raise UserError(
                f"{name}={value}: applies to folders of z/x/y tiles, and no"
                " image is one"
            )
    sources: list[ImageSource] = []
    if files or not maps:
        sources.append(FileSource(find_places(files, locations)))
    elif locations is not None:
        raise UserError(
            f"locations={locations}: applies to image files; a map has the"
            " positions of its crops"
        )
    if maps:
        sources += _cut(maps, settings(), given.get("tile_rows"))
    return sources[0] if len(sources) == 1 else JoinedSource(sources)


def _cut(
    paths: Sequence[Path], settings: CropSettings, tile_rows: str | None
) -> list[ImageSource]:
    sources: list[ImageSource] = []
    seen: dict[str, Path] = {}
    for path in paths:
        sheets = open_map(path, settings, tile_rows)
        if (other := seen.setdefault(sheets.name, path)) is not path:
            raise UserError(
                f"{other} and {path} are both called {sheets.name!r},"
                " which begins their crops' ids; rename one"
            )
        source = CropSource(sheets, settings)
        if not len(source):
            raise UserError(
                f"{path}: no crop of {settings.crop_metres:g} m fits"
                " on this map; give a smaller crop_metres (a file that is a"
                " single aerial image: list it in a CSV file)"
            )
        sources.append(source)
    return sources
