"""The rays of a panorama, and which rows and columns things fall on.

An equirectangular picture: the same angle a pixel in both directions, the
horizon in the middle. Column j looks at azimuth pi + 2 pi j / W, clockwise
from north, so the left edge looks south, W/4 west, the centre north and
3W/4 east, as the polar transform's columns do.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True)
class Rays:
    """Rays of one panorama; several a pixel when supersampled.

    Attributes:
        height: rows H of the picture.
        width: columns W of the picture, 360 degrees.
        samples: rays a pixel and axis.
    """

    height: int
    width: int
    samples: int

    @property
    def rows(self) -> int:
        """Rows of rays."""
        return self.height * self.samples

    @property
    def columns(self) -> int:
        """Columns of rays."""
        return self.width * self.samples

    @property
    def step(self) -> float:
        """Radians from one ray to the next."""
        return 2 * np.pi / self.columns

    @functools.cached_property
    def azimuths(self) -> np.ndarray:
        """Azimuth of each column, float32 [columns], clockwise from north."""
        column = np.arange(self.columns)
        return (np.pi + column * self.step - self._lead).astype(np.float32)

    @functools.cached_property
    def slopes(self) -> np.ndarray:
        """Tangent of each row's elevation, float32 [rows], falling."""
        row = np.arange(self.rows) + 0.5
        elevation = (self.rows / 2 - row) * self.step
        return np.tan(elevation).astype(np.float32)

    def column_of(self, azimuth: np.ndarray) -> np.ndarray:
        """Column, as a fraction and not wrapped, of an azimuth in radians."""
        return (azimuth - np.pi + self._lead) / self.step

    def first_row_below(self, slope: np.ndarray) -> np.ndarray:
        """The first row whose rays look at or below a slope, int [...]."""
        row = self.rows / 2 - np.arctan(slope) / self.step - 0.5
        return np.clip(np.ceil(row), 0, self.rows).astype(np.int32)

    @property
    def _lead(self) -> float:
        """How far a pixel's first ray lies before the pixel's centre."""
        return (self.samples - 1) / 2 * self.step


@dataclasses.dataclass(frozen=True)
class Fan:
    """Which columns each of several things may cover: P pairs.

    Attributes:
        thing: int [P], index of the thing.
        column: int [P], of the rays, 0..columns - 1.
        east: float32 [P], the ray's direction.
        north: float32 [P].
    """

    thing: np.ndarray
    column: np.ndarray
    east: np.ndarray
    north: np.ndarray


def fan_out(
    rays: Rays, heading: float, centre: np.ndarray, radius: np.ndarray
) -> Fan:
    """Pairs each thing with the columns its circle covers.

    Args:
        rays: of the panorama.
        heading: azimuth, radians, that the centre column really looks at.
        centre: float32 [N, 2], east and north from the camera.
        radius: float32 [N], metres of a circle around the thing.
    """
    distance = np.hypot(centre[:, 0], centre[:, 1])
    share = np.minimum(radius / np.maximum(distance, 1e-6), 1)
    half = np.where(share < 1, np.arcsin(share), np.pi)
    azimuth = np.arctan2(centre[:, 0], centre[:, 1]) - heading
    first = np.ceil(rays.column_of(azimuth - half))
    last = np.floor(rays.column_of(azimuth + half))
    count = np.minimum(last - first + 1, rays.columns).astype(np.int64)
    thing = np.repeat(np.arange(len(centre)), count)
    offset = np.arange(len(thing)) - np.repeat(np.cumsum(count) - count, count)
    column = (first.astype(np.int64)[thing] + offset) % rays.columns
    looks = rays.azimuths + np.float32(heading)
    return Fan(thing, column, np.sin(looks)[column], np.cos(looks)[column])
