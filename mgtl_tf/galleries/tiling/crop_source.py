"""A map's crops, on a grid of equal steps, as the images of a gallery."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mgtl_tf.galleries.places import Place
from mgtl_tf.galleries.sources import digest
from mgtl_tf.galleries.tiling.crop_settings import CropSettings
from mgtl_tf.galleries.tiling.cropping import cut_crop
from mgtl_tf.galleries.tiling.map import Sheets
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import degree_metres, move
from polar.image_files import decode

MOST_CROPS = 20_000_000
"""Of one map; more are likely a mistake in the settings."""

CROPS = "crops"
"""The folder of the crops, in the index's."""

_QUALITY = 95
_FILES_A_FOLDER = 1000
_MOST_NOTES = 5

# What rounding may cost a grid that fits exactly, in steps and in pixels.
_ROUNDING_STEPS = 1e-6
_ROUNDING_PIXELS = 1e-3


def crop_centres(sheets: Sheets, settings: CropSettings) -> np.ndarray:
    """Centres of all crops that lie on the map, from north-west, by rows.

    Rows and columns are `step_metres` apart along the ground, centred.

    Args:
        sheets: the map; it may cross the 180th meridian.
        settings: of the crops.

    Returns:
        latitude and longitude, degrees, float64 [M, 2]; M may be 0.

    Raises:
        UserError: where there would be more than 20,000,000.
    """
    south, west = sheets.bounds[:, [0, 2]].min(axis=0).tolist()
    north, east = sheets.bounds[:, [1, 3]].max(axis=0).tolist()
    _require_few(sheets, settings)
    north_metres = float(degree_metres((south + north) / 2)[0])
    rows = []
    for latitude in _spread(north, south, north_metres, settings):
        east_metres = float(degree_metres(latitude)[1])
        longitudes = _spread(west, east, east_metres, settings)
        centres = np.stack(
            [np.full_like(longitudes, latitude), longitudes], axis=-1
        )
        rows.append(centres[_on_sheets(sheets, centres, settings)])
    centres = np.concatenate([np.empty((0, 2)), *rows])
    centres[:, 1] = (centres[:, 1] + 180) % 360 - 180
    return centres


def _require_few(sheets: Sheets, settings: CropSettings) -> None:
    south, north, west, east = sheets.bounds.T
    northward, eastward = degree_metres((south + north) / 2)
    rows = (north - south) * northward / settings.step_metres
    columns = (east - west) * eastward / settings.step_metres
    count = float(((rows + 1) * (columns + 1)).sum())
    if not count <= MOST_CROPS:
        raise UserError(
            f"step_metres={settings.step_metres:g}: makes some {count:.2g}"
            f" crops of the map {sheets.name!r}; more than {MOST_CROPS:,} are"
            " refused; give a larger step or parts of the map"
        )


def _spread(
    first: float, last: float, degree: float, settings: CropSettings
) -> np.ndarray:
    """Centres in degrees from one edge to the other, evenly within both."""
    extent = abs(last - first) * degree
    spare = (extent - settings.crop_metres) / settings.step_metres
    count = int(np.floor(spare + _ROUNDING_STEPS)) + 1
    if count < 1:
        return np.empty(0)
    offsets = (np.arange(count) - (count - 1) / 2) * settings.step_metres
    return (first + last) / 2 + np.sign(last - first) * offsets / degree


def _on_sheets(
    sheets: Sheets, centres: np.ndarray, settings: CropSettings
) -> np.ndarray:
    """Whether each of a crop's corner pixels lies on a sheet, bool [M]."""
    if not len(centres):
        return np.zeros(0, bool)
    reach = (settings.crop_metres - settings.pixel_metres) / 2
    east, north = reach * np.array([[-1, 1, 1, -1], [1, 1, -1, -1]])
    corners = move(centres[:, None], east, north)
    inside = np.zeros(corners.shape[:2], bool)
    margin = settings.crop_metres / float(degree_metres(centres[0, 0])[1])
    for number in sheets.near(corners.reshape(-1, 2)):
        area = sheets.maps[number]
        west, east_edge = sheets.bounds[number, 2:] + (-margin, margin)
        some = (centres[:, 1] >= west) & (centres[:, 1] <= east_edge)
        pixels = area.to_pixels(corners[some])
        limits = np.array([area.width, area.height]) + _ROUNDING_PIXELS
        within = (pixels >= -_ROUNDING_PIXELS) & (pixels <= limits)
        inside[some] |= within.all(axis=-1)
    return np.asarray(inside.all(axis=1))


class CropSource:
    """Overlapping aerial crops, each written as JPEG where the index is.

    What is embedded is what the written file holds. Crops on which the map
    lacks data for too large a share are left out; a smaller one is filled.

    Args:
        sheets: the map.
        settings: of the crops.

    Attributes:
        centres: latitude and longitude of the crops, degrees, [M, 2].
    """

    threads = 1  # GDAL's data sets are not shared by threads.

    def __init__(self, sheets: Sheets, settings: CropSettings):
        self._sheets = sheets
        self._settings = settings
        self._files = [path for area in sheets.maps for path in area.files]
        self._filled = self._filled_pixels = 0
        self.centres = crop_centres(sheets, settings)

    def __len__(self) -> int:
        return len(self.centres)

    def place(self, number: int, folder: Path) -> Place:
        """See `sources.ImageSource`."""
        latitude, longitude = self.centres[number].tolist()
        name = f"{self._sheets.name}_{latitude:.6f}_{longitude:.6f}"
        part = f"{number // _FILES_A_FOLDER:05}"
        image = folder / CROPS / self._sheets.name / part / f"{name}.jpg"
        side = self._settings.crop_metres
        return Place(name, image, (latitude, longitude), side_metres=side)

    def load(self, number: int, folder: Path) -> tuple[np.ndarray, int]:
        """See `sources.ImageSource`."""
        place = self.place(number, folder)
        latitude, longitude = self.centres[number].tolist()
        crop = cut_crop(self._sheets, (latitude, longitude), self._settings)
        content = cv2.imencode(
            ".jpg",
            cv2.cvtColor(crop.pixels, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_JPEG_QUALITY, _QUALITY],
        )[1].tobytes()
        os.makedirs(place.image.parent, exist_ok=True)
        place.image.write_bytes(content)
        return decode(content), crop.missing

    def count_filled(self, number: int, missing: int) -> None:
        """See `sources.ImageSource`."""
        self._filled += 1
        self._filled_pixels += missing

    def describe(self) -> dict[str, Any]:
        """See `sources.ImageSource`; by the sizes of the map's files."""
        areas = self._sheets.maps
        sizes = (f"{p.name} {p.stat().st_size}" for p in self._files)
        return {
            "map": self._sheets.name,
            "map's pixels": sum(area.width * area.height for area in areas),
            "map's files": digest(sizes),
            **dataclasses.asdict(self._settings),
            "crops": len(self),
        }

    def stamp(self) -> str:
        """See `sources.ImageSource`."""
        times = (f"{p} {p.stat().st_mtime_ns}" for p in self._files)
        return f"{self._sheets.name} {digest(times)}"

    def notes(self) -> list[str]:
        """See `sources.ImageSource`."""
        name = self._sheets.name
        notes = [note for area in self._sheets.maps for note in area.notes]
        if (more := len(notes) - _MOST_NOTES) > 0:
            notes[_MOST_NOTES:] = [f"{name}: so in {more:,} more sheets"]
        if self._filled:
            notes.append(
                f"{self._filled:,} crops of {name} that this command cut"
                f" lacked {self._filled_pixels:,} pixels, at most"
                f" {self._settings.most_missing:.3g} of each: filled from"
                " around them"
            )
        return notes
