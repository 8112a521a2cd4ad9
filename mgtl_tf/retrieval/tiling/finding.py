"""Which of --images are maps, and the images of a gallery, whole or cut."""

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
from mgtl_tf.retrieval.tiling.map import Sheets, require_tiles_extra
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
# Images, as a rule; maps where a file beside them says where they lie.
_IMAGES = (".jpg", ".jpeg", ".png")
_WORLD_FILES = (".wld", ".jgw", ".jpgw", ".jpegw", ".pgw", ".pngw")
_AUXILIARY = ".aux.xml"


def is_map(path: Path) -> bool:
    """Whether a path names a georeferenced raster, or a folder of one.

    A folder is a map where it holds z/x/y tiles, or sheets: rasters that
    all are georeferenced.

    Raises:
        UserError: for a folder only some of whose rasters are; where
            rasterio, which can tell, is missing or lacks a codec.
    """
    if path.is_dir():
        return is_tiles(path) or bool(sheet_files(path))
    return path.is_file() and _is_raster(path)


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
    if not path.is_dir():
        area = RasterMap(path)
        require_depth([area])
        return Sheets(area.name, [area])
    if is_tiles(path):
        tiles = SlippyMap(path, settings.metres_per_pixel, tile_rows)
        return Sheets(tiles.name, [tiles])
    maps = [RasterMap(file) for file in sheet_files(path)]
    require_depth(maps)
    # Where two show the same ground, the finer one does.
    maps.sort(key=lambda area: float(f"{area.pixel_metres():.2g}"))
    return Sheets(path.resolve().name, maps)


def why_no_map(path: Path) -> str:
    """What a raster file lacks to be a map, as the rest of a sentence."""
    if not path.is_file() or path.suffix.lower() not in (*_TIFF, *_IMAGES):
        return ""
    try:
        with open_raster(path) as dataset:
            what = "coordinate system"
            if not has_transform(dataset):
                what = "position"
            elif has_position(path, dataset):
                return ""
    except UserError as error:
        return f" ({error})"
    return (
        f" ({path.name} has no {what}; give it one with gdal_edit.py -a_srs"
        " EPSG:CODE -a_ullr ..., or leave the flag away if it is one image)"
    )


def require_depth(maps: Sequence[RasterMap]) -> None:
    """Refuses 16 bits of which nobody says, and no pixel shows, the depth.

    Raises:
        UserError: saying what to do.
    """
    unsaid = [m for m in maps if m.bands.brightest is not None]
    if unsaid:
        try:
            require_bright(max(m.bands.brightest or 0 for m in unsaid))
        except ValueError as error:
            raise UserError(f"{unsaid[0].path}: {error}") from error


def sheet_files(folder: Path) -> list[Path]:
    """The sheets in a folder, by name; none where its files are images.

    Raises:
        UserError: where some have a position and some have not.
    """
    names = {path.name.lower() for path in folder.iterdir()}
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in (*_TIFF, ".jp2", *_IMAGES)
        and path.is_file()
        and (path.suffix.lower() not in _IMAGES or _has_besides(path, names))
    ]
    found = {path: _lies_somewhere(path) for path in files}
    sheets = [path for path in files if found[path]]
    if sheets and len(sheets) < len(files):
        other = next(path for path in files if not found[path])
        open_raster(other).close()  # Or it says why it is damaged.
        raise UserError(
            f"{folder}: {sheets[0].name} has a position and"
            f" {other.name} has none; give a folder of map sheets or one of"
            " images"
        )
    return sheets


def _has_besides(path: Path, names: set[str]) -> bool:
    stem = path.stem.lower()
    return path.name.lower() + _AUXILIARY in names or any(
        stem + suffix in names for suffix in _WORLD_FILES
    )


def _is_raster(path: Path) -> bool:
    """Whether a file is a map; one with no coordinate system is an image."""
    suffix = path.suffix.lower()
    if suffix in _MAPS_ONLY:
        return True
    if suffix in _IMAGES:
        names = {file.name.lower() for file in path.parent.iterdir()}
        return _has_besides(path, names) and _lies_somewhere(path)
    return suffix in _TIFF and _lies_somewhere(path)


def _lies_somewhere(path: Path) -> bool:
    require_tiles_extra(path)
    try:
        with open_raster(path) as dataset:
            return has_position(path, dataset)
    except MissingCodecError:
        raise
    except UserError:
        # No image either, which its reader will say; or no raster at all.
        return False


def find_images(
    images: Sequence[Path | str],
    locations: Path | str | None,
    settings: Callable[[], CropSettings],
    map_flags: Mapping[str, Any] | None = None,
) -> ImageSource:
    """All images of a gallery: those of files first, then maps' crops.

    Args:
        images: image files, folders of them, CSV lists, georeferenced
            rasters, folders of their sheets, or folders of z/x/y tiles.
        locations: of the image files; see `places.find_places`.
        settings: gives how maps are cut; asked only where there is one.
        map_flags: what was given that only maps have, by the flag's name;
            None where it was not. "tile_rows" is used here.

    Raises:
        UserError: for paths that are wrong, flags that can't apply, a map
            that can't be cut or is smaller than a crop, or two of one name.
    """
    paths = [Path(image) for image in images]
    maps = [path for path in paths if is_map(path)]
    files = [path for path in paths if path not in maps]
    given = {n: v for n, v in (map_flags or {}).items() if v is not None}
    _require_fitting(files, maps, given)
    sources: list[ImageSource] = []
    if files or not maps:
        sources.append(FileSource(find_places(files, locations)))
    elif locations is not None:
        raise UserError(
            f"--locations={locations}: goes with image files; a map knows"
            " where its crops are"
        )
    if maps:
        sources += _cut(maps, settings(), given.get("tile_rows"))
    return sources[0] if len(sources) == 1 else JoinedSource(sources)


def _require_fitting(
    files: Sequence[Path], maps: Sequence[Path], given: Mapping[str, Any]
) -> None:
    """Refuses flags of maps where there is none that they are about."""
    for name, value in given.items():
        if not maps:
            reason = next((why_no_map(path) for path in files), "")
            raise UserError(
                f"--{name}={value}: goes with a map, and --images names none"
                f"{reason}"
            )
        if name == "tile_rows" and not any(map(is_tiles, maps)):
            raise UserError(
                f"--{name}={value}: goes with a folder of z/x/y tiles, and"
                " --images names none"
            )


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
                " on this map; give a smaller --crop_metres (a file that is a"
                " single aerial image: list it in a CSV file)"
            )
        sources.append(source)
    return sources
