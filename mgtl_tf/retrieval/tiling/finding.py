"""What --images names: files and folders of images, or maps to be cut."""

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
from mgtl_tf.retrieval.tiling.opening import (
    is_map,
    is_tiles,
    open_map,
    why_no_map,
)
from mgtl_tf.utils.errors import UserError


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
                f"--images: {other} and {path} are both called {sheets.name!r},"
                " which begins their crops' ids; rename one"
            )
        source = CropSource(sheets, settings)
        if not len(source):
            raise UserError(
                f"--images={path}: no crop of {settings.crop_metres:g} m fits"
                " on this map; give a smaller --crop_metres (a file that is a"
                " single aerial image: list it in a CSV file)"
            )
        sources.append(source)
    return sources
