"""One synthetic city in VIGOR's form: a grid of overlapping tiles, panoramas.

Tiles lie half a (nominal) tile apart, whatever a city's own resolution is, as
in VIGOR: how far they overlap differs. Panoramas stand where a street's places
are, anywhere in the tiles, at most two nearest to one.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from mgtl_tf.datasets.vigor.labels import (
    CITIES,
    GRID_METRES,
    METRES_PER_PIXEL,
    NOMINAL_METRES_PER_PIXEL,
    TILE_PIXELS,
    Label,
    offset_of,
)
from mgtl_tf.synthetic.pairs import draw_pose
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.terrain import generator
from mgtl_tf.synthetic.town.world import TownMap, make_map
from mgtl_tf.utils.geodesy import from_tangent_plane

PANORAMAS_A_TILE = 2
# Web Mercator: 156,543.034 m at the equator is one pixel at zoom 0; VIGOR's
# resolutions are those of zoom 20 at its cities' latitudes.
_EQUATOR_METRES, _ZOOM = 156_543.034, 20
_LONGITUDE, _DEGREES_APART = -98.5, 0.25
_MORE_PLACES = 1.5
# Last number of a generator's address.
_ORDER = 6


@dataclass(frozen=True)
class City:
    """What stands where in one city.

    Attributes:
        name: one of CITIES.
        town: what is drawn.
        tiles: centres, float64 [T, 2], east and north on the map, metres.
        rows: int [P], the rows of `town.places` with a panorama.
        panoramas: where these stand, float64 [P, 2], likewise.
        nearest: int [P, 4], each one's positive and three semi-positives.
    """

    name: str
    town: TownMap
    tiles: np.ndarray
    rows: np.ndarray
    panoramas: np.ndarray
    nearest: np.ndarray

    @property
    def tile_metres(self) -> float:
        """Side of a tile."""
        return TILE_PIXELS * METRES_PER_PIXEL[self.name]

    def degrees(self, metres: np.ndarray) -> np.ndarray:
        """Latitude and longitude of points of the map, float64 [N, 2]."""
        number = CITIES.index(self.name)
        share = METRES_PER_PIXEL[self.name] * 2**_ZOOM / _EQUATOR_METRES
        latitude = math.degrees(math.acos(share))
        longitude = _LONGITUDE + _DEGREES_APART * number
        return from_tangent_plane(metres, latitude, longitude)

    def tile_names(self) -> list[str]:
        """File names of the tiles; New York's have fewer decimals."""
        digits = 10 if self.name == "NewYork" else 14
        return [
            f"satellite_{lat:.{digits}f}_{lon:.{digits}f}.png"
            for lat, lon in self.degrees(self.tiles).tolist()
        ]

    def panorama_names(self) -> list[str]:
        """File names of the panoramas; some ids begin with a hyphen."""
        places = self.degrees(self.panoramas).tolist()
        ids = [f"{self.name[:2]}_{row:06d}" for row in self.rows.tolist()]
        ids[4::9] = [f"-{name}" for name in ids[4::9]]
        return [
            f"{name},{lat:.7f},{lon:.7f},.jpg"
            for name, (lat, lon) in zip(ids, places, strict=True)
        ]

    def labels(self, corrected: bool) -> list[Label]:
        """The label of every panorama, by either label set."""
        resolution = NOMINAL_METRES_PER_PIXEL
        if corrected:
            resolution = METRES_PER_PIXEL[self.name]
        tiles, found = self.tile_names(), []
        for name, here, near in zip(
            self.panorama_names(), self.panoramas, self.nearest, strict=True
        ):
            away = here - self.tiles[near]
            offsets = tuple(
                offset_of(east, north, resolution)
                for east, north in away.tolist()
            )
            found.append(Label(name, tuple(tiles[n] for n in near), offsets))
        return found


def make_city(settings: WorldSettings, name: str, count: int) -> City:
    """Builds a city with `count` panoramas; the same on every call."""
    places = count
    while True:
        places = math.ceil(places * _MORE_PLACES)
        town = make_map(settings, 1 + CITIES.index(name), places)
        city = _populated(settings, name, town, count)
        if len(city.rows) == count:
            return city


def _populated(
    settings: WorldSettings, name: str, town: TownMap, count: int
) -> City:
    """A town's grid and its first `count` panoramas, fewer where few fit."""
    corner = town.places.min(axis=0) - 1.2 * GRID_METRES
    extent = town.places.max(axis=0) + 1.2 * GRID_METRES - corner
    columns, rows = np.ceil(extent / GRID_METRES).astype(int) + 1
    grid = np.indices((rows, columns)).reshape(2, -1).T[:, ::-1]
    tiles = corner + grid * GRID_METRES
    where = np.array(
        [
            draw_pose(settings, town, row).position
            for row in range(len(town.places))
        ]
    )
    rng = generator(settings.seed, town.index, 0, _ORDER)
    taken = np.zeros(len(tiles), int)
    chosen: list[int] = []
    nearest: list[tuple[int, ...]] = []
    for row in rng.permutation(len(where)).tolist():
        near = _around((where[row] - corner) / GRID_METRES, columns, rng)
        if taken[near[0]] < PANORAMAS_A_TILE and len(chosen) < count:
            taken[near[0]] += 1
            chosen.append(row)
            nearest.append(near)
    return City(
        name,
        town,
        tiles,
        np.array(chosen),
        where[chosen],
        np.array(nearest),
    )


def _around(
    cell: np.ndarray, columns: int, rng: np.random.Generator
) -> tuple[int, ...]:
    """The four tiles around a point of the grid, by their numbers.

    The nearest, its neighbours in its row and in its column, in either order
    as in VIGOR, and the diagonal one.
    """
    low = np.floor(cell).astype(int)
    column, row = np.where(cell - low < 0.5, low, low + 1)
    other_column, other_row = 2 * low + 1 - (column, row)
    beside = [(row, other_column), (other_row, column)]
    if rng.random() < 0.5:
        beside.reverse()
    around = [(row, column), *beside, (other_row, other_column)]
    return tuple(int(r * columns + c) for r, c in around)


def tile_town(city: City) -> TownMap:
    """The town whose places are the tiles' centres, for an aerial camera."""
    return dataclasses.replace(city.town, places=city.tiles)
