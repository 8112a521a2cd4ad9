"""VIGOR's names and label lines: what they say, and how they are written.

A panorama is `ID,LATITUDE,LONGITUDE,.jpg`, an aerial image (a tile)
`satellite_LATITUDE_LONGITUDE.png` of 640 x 640 pixels, north up. A label line
has 13 fields: the panorama, then four times a tile and two offsets in pixels;
first the positive, whose centre is nearest, then three semi-positives, which
overlap it. With x to the right and y downwards, the panorama stands in a tile
at x = 320 - d1, y = 320 + d0.

Coordinates are those of a file's own name: commas and underscores of the
folders above it mean nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

CITIES = ("NewYork", "Seattle", "SanFrancisco", "Chicago")
"""In VIGOR's own order, which is that of a gallery."""

LABELS = {
    "corrected": ("splits__corrected", "__corrected"),
    "original": ("splits", ""),
}
"""Label set to the folder of its lists, and what their names end with."""

PROTOCOLS = ("same", "cross")

TILE_LIST = "satellite_list.txt"
TRAIN_LIST = "same_area_balanced_train"
TEST_LIST = "same_area_balanced_test"
WHOLE_LIST = "pano_label_balanced"

TILE_PIXELS = 640

METRES_PER_PIXEL = {
    "NewYork": 0.113248,
    "Seattle": 0.100817,
    "SanFrancisco": 0.118141,
    "Chicago": 0.111262,
}
"""Of tiles: what the corrected labels are computed with."""

NOMINAL_METRES_PER_PIXEL = 0.114
"""What the original labels assume of every city."""

GRID_METRES = 36.48
"""From a tile's centre to its neighbours': 320 nominal pixels."""

_FIELDS = 13
_TILES = 4
_LIMITS = (90.0, 180.0)


def list_path(root: Path, city: str, labels: str, name: str) -> Path:
    """The file of one of a city's label lists."""
    folder, ending = LABELS[labels]
    return root / folder / city / f"{name}{ending}.txt"


class Label(NamedTuple):
    """One label line.

    Attributes:
        panorama: file name.
        tiles: four file names; the positive first.
        offsets: d0, d1 of each, pixels of 640.
    """

    panorama: str
    tiles: tuple[str, ...]
    offsets: tuple[tuple[float, float], ...]


def parse_label(line: str) -> Label:
    """A label line.

    Raises:
        ValueError: with the reason, as a phrase.
    """
    fields = line.split()
    if len(fields) != _FIELDS:
        raise ValueError(
            f"has {len(fields)} fields; must have {_FIELDS}: a panorama and"
            " four times an aerial image with two offsets"
        )
    tiles = tuple(fields[1::3])
    if len(set(tiles)) < _TILES:
        twice = next(name for name in tiles if tiles.count(name) > 1)
        raise ValueError(f"names {twice} twice; must name four aerial images")
    numbers = [_offset(fields[n]) for n in range(2, _FIELDS) if n % 3 != 1]
    return Label(
        fields[0], tiles, tuple(zip(numbers[::2], numbers[1::2], strict=True))
    )


def label_line(label: Label) -> str:
    """The line of a label, without its end; offsets as VIGOR writes them."""
    fields = [label.panorama]
    for tile, offsets in zip(label.tiles, label.offsets, strict=True):
        fields += [tile, *(f"{round(d):.1f}" for d in offsets)]
    return " ".join(fields)


def offset_of(
    east: float, north: float, resolution: float
) -> tuple[float, float]:
    """d0, d1 of a point by a tile's centre.

    Args:
        east, north: from the centre to the point, metres.
        resolution: metres a pixel of 640.
    """
    return -north / resolution, -east / resolution


def panorama_place(name: str) -> tuple[str, float, float]:
    """Id, latitude and longitude of a panorama's file name.

    Raises:
        ValueError: as `parse_label`.
    """
    parts = name.split(",")
    if len(parts) != 4 or not parts[0] or "/" in name:
        raise ValueError(f"{name!r} is not 'ID,LATITUDE,LONGITUDE,.jpg'")
    return parts[0], *_degrees(name, parts[1:3])


def tile_place(name: str) -> tuple[float, float]:
    """Latitude and longitude of a tile's centre, by its file name.

    Raises:
        ValueError: as `parse_label`.
    """
    parts = name.rpartition(".")[0].split("_")
    if len(parts) != 3 or "/" in name:
        raise ValueError(f"{name!r} is not 'satellite_LATITUDE_LONGITUDE.png'")
    return _degrees(name, parts[1:])


def _degrees(name: str, texts: Sequence[str]) -> tuple[float, float]:
    try:
        latitude, longitude = map(float, texts)
    except ValueError:
        raise ValueError(f"{name!r} holds no latitude and longitude") from None
    for value, limit in zip((latitude, longitude), _LIMITS, strict=True):
        # Written so that NaN, of which every comparison is false, is caught.
        if not abs(value) <= limit:
            raise ValueError(f"{name!r} holds no latitude and longitude")
    return latitude, longitude


def _offset(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"has {text!r} where an offset in pixels must stand")
    return value
