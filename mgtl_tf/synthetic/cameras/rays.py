"""The rays of a panorama, which columns things cover, and the terrain.

An equirectangular picture: the same angle a pixel in both directions, the
horizon in the middle unless a crop left more of the sky than of the ground.
Column j looks at azimuth pi + 2 pi j / W, clockwise from north, so the left
edge looks south, W/4 west, the centre north and 3W/4 east, as the polar
transform's columns do.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from mgtl_tf.synthetic.town.terrain import Terrain

FIRST_METRES = 1.0
LAST_METRES = 360.0
MARCH_STEPS = 44


@dataclasses.dataclass(frozen=True)
class Camera:
    """A panorama camera and its rays; several a pixel when supersampled."""

    height: int  # rows H of the picture
    width: int  # columns W of the picture, 360 degrees
    samples: int  # rays a pixel and axis
    eye: np.ndarray  # float32 [3], east, north and height, metres
    heading: float = 0.0  # azimuth, radians, that the centre looks at
    horizon: float = 0.5  # where it lies, as a share of H from the top

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
        """Azimuth of each column, float32 [columns], as if heading north."""
        column = np.arange(self.columns)
        return (np.pi + column * self.step - self._lead).astype(np.float32)

    @functools.cached_property
    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        """East and north of each column's unit vector, float32 [columns]."""
        looks = self.azimuths + np.float32(self.heading)
        return np.sin(looks), np.cos(looks)

    @functools.cached_property
    def slopes(self) -> np.ndarray:
        """Tangent of each row's elevation, float32 [rows], falling."""
        row = np.arange(self.rows) + 0.5
        elevation = (self.rows * self.horizon - row) * self.step
        return np.tan(elevation).astype(np.float32)

    def column_of(self, azimuth: np.ndarray) -> np.ndarray:
        """Column, as a fraction and not wrapped, of an azimuth in radians."""
        return (azimuth - np.pi + self._lead) / self.step

    def first_row_below(self, slope: np.ndarray) -> np.ndarray:
        """The first row whose rays look at or below a slope, int [...]."""
        above = self.rows * self.horizon
        row = above - np.arctan(slope) / self.step - 0.5
        return np.clip(np.ceil(row), 0, self.rows).astype(np.int32)

    @property
    def _lead(self) -> float:
        """How far a pixel's first ray lies before the pixel's centre."""
        return (self.samples - 1) / 2 * self.step


class Fan(NamedTuple):
    """Which columns each of several things may cover: P pairs."""

    thing: np.ndarray  # int [P], index of the thing
    column: np.ndarray  # int [P], of the rays
    east: np.ndarray  # float32 [P], the ray's direction
    north: np.ndarray  # float32 [P]


def fan_out(camera: Camera, centre: np.ndarray, radius: np.ndarray) -> Fan:
    """Pairs each thing with the columns its circle covers.

    Args:
        camera: of the panorama.
        centre: float32 [N, 2], east and north from the camera.
        radius: float32 [N], metres of a circle around the thing.
    """
    distance = np.hypot(centre[:, 0], centre[:, 1])
    share = np.minimum(radius / np.maximum(distance, 1e-6), 1)
    half = np.where(share < 1, np.arcsin(share), np.pi)
    azimuth = np.arctan2(centre[:, 0], centre[:, 1]) - camera.heading
    first = np.ceil(camera.column_of(azimuth - half))
    last = np.floor(camera.column_of(azimuth + half))
    count = np.minimum(last - first + 1, camera.columns).astype(np.int64)
    thing = np.repeat(np.arange(len(centre)), count)
    offset = np.arange(len(thing)) - np.repeat(np.cumsum(count) - count, count)
    column = (first.astype(np.int64)[thing] + offset) % camera.columns
    east, north = camera.directions
    return Fan(thing, column, east[column], north[column])


def march(camera: Camera, terrain: Terrain) -> np.ndarray:
    """Metres to the ground of every ray, float32 [rows, columns], inf for sky.

    All columns march over the height raster at once. Along a column the slope
    to the highest ground so far only rises, so the number of steps that lie
    below a ray is where the ray lands.
    """
    steps = np.geomspace(FIRST_METRES, LAST_METRES, MARCH_STEPS)
    reach = steps.astype(np.float32)[:, None]
    east, north = camera.directions
    eye = camera.eye
    height = terrain.at(eye[0] + reach * east, eye[1] + reach * north)
    slope = (height - np.float32(eye[2])) / reach
    horizon = np.maximum.accumulate(slope, axis=0)
    passed = _steps_below(camera, horizon)
    return _between(camera, horizon, reach[:, 0], passed)


def _steps_below(camera: Camera, horizon: np.ndarray) -> np.ndarray:
    """How many steps of [K, columns] each ray passes over, int32."""
    first_hit = camera.first_row_below(horizon)
    address = first_hit * camera.columns + np.arange(camera.columns)
    cells = (camera.rows + 1) * camera.columns
    count = np.bincount(address.ravel(), minlength=cells).astype(np.int32)
    started = count.reshape(-1, camera.columns)
    return len(horizon) - np.cumsum(started, axis=0, dtype=np.int32)[:-1]


def _between(
    camera: Camera, horizon: np.ndarray, reach: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Distances, linear in 1 / distance between two steps.

    On level ground slope is -height / distance, so this is exact there.
    """
    last = len(horizon) - 1
    distance = np.full(steps.shape, np.inf, np.float32)
    # Half of the rows see nothing but sky: leave them out.
    first = int(np.argmax((steps <= last).any(1)))
    steps, slopes = steps[first:], camera.slopes[first:, None]
    column = np.arange(camera.columns, dtype=np.int32)
    after = np.minimum(steps, last)
    before = np.maximum(after - 1, 0)
    low = np.take(horizon, before * camera.columns + column)
    high = np.take(horizon, after * camera.columns + column)
    inverse = 1 / reach
    gap = np.maximum(high - low, np.float32(1e-7))
    share = np.clip((slopes - low) / gap, 0, 1)
    near, far = np.take(inverse, before), np.take(inverse, after)
    hit = 1 / (near + share * (far - near))
    hit[steps > last] = np.inf
    distance[first:] = hit
    return distance
