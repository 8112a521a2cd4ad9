"""Images, or the crops of maps, as the candidates of a gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mgtl_tf.galleries.places import find_places
from mgtl_tf.galleries.sources import (
    FileSource,
    ImageSource,
    JoinedSource,
)
from mgtl_tf.galleries.tiling.crop_settings import CropSettings, crop_settings
from mgtl_tf.galleries.tiling.crop_source import CropSource
from mgtl_tf.galleries.tiling.map import Sheets
from mgtl_tf.galleries.tiling.position import earth_system, has_position
from mgtl_tf.galleries.tiling.raster import GdalError, RasterMap, open_raster
from mgtl_tf.galleries.tiling.slippy import SlippyMap
from mgtl_tf.galleries.tiling.tile_files import zoom_folders
from mgtl_tf.utils.errors import UserError
from polar.band_colors import require_bright

_RASTERS = (".tif", ".tiff", ".gtif", ".gtiff", ".jp2")
_MAPS_ONLY = (".vrt", ".jp2", ".img")
# Images, as a rule; maps where a file beside them has their position.
_IMAGES = (".jpg", ".jpeg", ".png")
_WORLD_FILES = (".wld", ".jgw", ".jpgw", ".jpegw", ".pgw", ".pngw")


def is_tiles(path: Path) -> bool:
    """Whether a path is a folder of z/x/y tiles, or one of its levels."""
    return path.is_dir() and bool(zoom_folders(path))


def map_files(path: Path) -> list[Path]:
    """The rasters of a map: a georeferenced file, or a folder's sheets.

    Returns:
        by name; none where the path is no map, or is one of tiles.

    Raises:
        UserError: for a folder only some of whose rasters have a position;
            where rasterio is missing or lacks a codec.
    """
    if path.is_file():
        known = path.suffix.lower() in _MAPS_ONLY or (
            _may_be_map(path, _names(path.parent)) and _is_georeferenced(path)
        )
        return [path] if known else []
    if not path.is_dir():
        return []
    names = _names(path)
    files = [p for p in sorted(path.iterdir()) if _may_be_map(p, names)]
    sheets = [file for file in files if _is_georeferenced(file)]
    if sheets and len(sheets) < len(files):
        other = next(file for file in files if file not in sheets)
        open_raster(other).close()  # A damaged file raises here.
        raise UserError(
            f"{path}: {sheets[0].name} has a position and {other.name} has"
            " none; give a folder of map sheets or one of images"
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
    return suffix in _RASTERS and path.is_file()


def _is_georeferenced(path: Path) -> bool:
    try:
        with open_raster(path) as dataset:
            return has_position(path, dataset)
    except GdalError:
        raise
    except UserError:
        # The reader of images will say why; or it is no raster at all.
        return False


def open_map(
    path: Path,
    settings: CropSettings,
    tile_rows: str | None = None,
    rasters: Sequence[Path] | None = None,
) -> Sheets:
    """The map that a path names.

    Args:
        path: of tiles, or of which there are `map_files`.
        settings: of the crops.
        tile_rows: see `tile_scheme`.
        rasters: its `map_files`, where they are known already.

    Raises:
        UserError: saying why it can't be cut.
    """
    if not rasters and is_tiles(path):
        tiles = SlippyMap(path, settings.metres_per_pixel, tile_rows)
        return Sheets(tiles.name, [tiles])
    maps = [RasterMap(file) for file in rasters or map_files(path)]
    unknown = [m for m in maps if m.bands.brightest is not None]
    if unknown:
        try:
            require_bright(max(m.bands.brightest or 0 for m in unknown))
        except ValueError as error:
            raise UserError(f"{unknown[0].path}: {error}") from error
    # Where two show the same ground, the finer one does.
    maps.sort(key=lambda area: float(f"{area.pixel_metres():.2g}"))
    name = path.resolve().name if path.is_dir() else path.stem
    return Sheets(name, maps)


def find_images(
    images: Sequence[Path | str],
    locations: Path | str | None = None,
    dataset: str = "",
    map_settings: Mapping[str, Any] | None = None,
) -> ImageSource:
    """All images of a gallery: those of files first, then maps' crops.

    Args:
        images: image files, folders of them, CSV lists, georeferenced
            rasters, folders of their sheets, or folders of z/x/y tiles.
        locations: of the image files; see `places.find_places`.
        dataset: that the model was trained on; see `crop_settings`.
        map_settings: those of `crop_settings` and tile_rows, by their names;
            None where one was not given.

    Raises:
        UserError: for paths that are wrong, settings that can't apply, a map
            that can't be cut or is smaller than a crop, or two of one name.
    """
    paths = [Path(image) for image in images]
    found = [(path, _rasters_of_map(path)) for path in paths]
    maps = [(path, own) for path, own in found if own is not None]
    files = [path for path, own in found if own is None]
    given = {n: v for n, v in (map_settings or {}).items() if v is not None}
    _require_applying(given, [path for path, _ in maps], files)
    if locations is not None and maps and not files:
        raise UserError(
            f"locations={locations}: applies to image files; a map has the"
            " positions of its crops"
        )
    sources: list[ImageSource] = []
    if files or not maps:
        sources.append(FileSource(find_places(files, locations)))
    if maps:
        rows = given.pop("tile_rows", None)
        sources += _cut(maps, crop_settings(dataset, **given), rows)
    return sources[0] if len(sources) == 1 else JoinedSource(sources)


def _rasters_of_map(path: Path) -> list[Path] | None:
    """`map_files`, or [] of tiles; None where the path is no map."""
    if is_tiles(path):
        return []
    return map_files(path) or None


def _require_applying(
    given: Mapping[str, Any], maps: Sequence[Path], files: Sequence[Path]
) -> None:
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


def _why_no_map(path: Path) -> str:
    """What a raster file lacks to be a map, in parentheses; or ""."""
    if path.is_file() and path.suffix.lower() in (*_RASTERS, *_IMAGES):
        try:
            with open_raster(path) as dataset:
                earth_system(path, dataset)
        except UserError as error:
            return f" ({error})"
    return ""


def _cut(
    maps: Sequence[tuple[Path, list[Path]]],
    settings: CropSettings,
    tile_rows: str | None,
) -> list[ImageSource]:
    sources: list[ImageSource] = []
    seen: dict[str, Path] = {}
    for path, rasters in maps:
        sheets = open_map(path, settings, tile_rows, rasters)
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
