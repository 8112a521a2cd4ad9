"""A map's crops as the images of a gallery."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import cv2

from mgtl_tf.retrieval.galleries.places import Place
from mgtl_tf.retrieval.tiling.crop_settings import CropSettings
from mgtl_tf.retrieval.tiling.cutting import cut_crop
from mgtl_tf.retrieval.tiling.grid import crop_centres
from mgtl_tf.retrieval.tiling.sheets import Sheets

CROPS = "crops"
"""The folder of the crops, in the index's."""

_QUALITY = 95
_FILES_A_FOLDER = 1000


class CropSource:
    """Overlapping aerial crops, each written as JPEG where the index is.

    What is embedded are the bytes that are written. Crops on which the map
    lacks data for too large a share are left out; a smaller one is filled.

    Args:
        sheets: the map.
        settings: of the crops.

    Attributes:
        centres: latitude and longitude of the crops, degrees, [M, 2].
    """

    def __init__(self, sheets: Sheets, settings: CropSettings):
        self._sheets = sheets
        self._settings = settings
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
        return Place(name, image, (latitude, longitude))

    def load(self, number: int, folder: Path) -> bytes:
        """See `sources.ImageSource`."""
        place = self.place(number, folder)
        latitude, longitude = self.centres[number].tolist()
        crop = cut_crop(self._sheets, (latitude, longitude), self._settings)
        self._filled += crop.missing > 0
        self._filled_pixels += crop.missing
        content = cv2.imencode(
            ".jpg",
            cv2.cvtColor(crop.pixels, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_JPEG_QUALITY, _QUALITY],
        )[1].tobytes()
        os.makedirs(place.image.parent, exist_ok=True)
        place.image.write_bytes(content)
        return content

    def describe(self) -> dict[str, Any]:
        """See `sources.ImageSource`."""
        return {
            **self._sheets.describe(),
            **dataclasses.asdict(self._settings),
            "crops": len(self),
        }

    def stamp(self) -> str:
        """See `sources.ImageSource`."""
        return self._sheets.stamp()

    def notes(self) -> list[str]:
        """See `sources.ImageSource`."""
        notes = self._sheets.notes()
        if self._filled:
            notes.append(
                f"{self._filled:,} crops of {self._sheets.name} that this"
                f" command cut lacked {self._filled_pixels:,} pixels, at most"
                f" {self._settings.most_missing:.3g} of each: filled from"
                " around them"
            )
        return notes
