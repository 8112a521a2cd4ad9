"""One map of the world: what stands where, its rasters and its places."""

from __future__ import annotations

import dataclasses
import math
from typing import TypeVar

import cv2
import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town import buildings, vegetation
from mgtl_tf.synthetic.town import land as land_use
from mgtl_tf.synthetic.town.canvas import Canvas, Occupancy, blank_canvas
from mgtl_tf.synthetic.town.streets import Street, make_streets, paint_streets
from mgtl_tf.synthetic.town.style import MapStyle, draw_style
from mgtl_tf.synthetic.town.terrain import Terrain, generator, make_terrain
from mgtl_tf.synthetic.town.things import Boxes, Columns, Poles, Trees

_Things = TypeVar("_Things", Boxes, Trees, Poles)

MARGIN_METRES = 70.0
# Beyond an aerial image, for what throws its shadow into it.
SHADED_METRES = 40.0
COARSE_CELLS = 4


@dataclasses.dataclass(frozen=True)
class Lanes(Columns):
    """Points along all streets, where cars drive and park."""

    points: np.ndarray  # float32 [N, 2], on the centre lines
    tangents: np.ndarray  # float32 [N, 2], unit vectors
    half_width: np.ndarray  # float32 [N], of the carriageway, metres


@dataclasses.dataclass(frozen=True)
class TownMap:
    """Everything that the cameras of one map can see."""

    index: int  # 0 is the val map, 1 and up are train maps
    canvas: Canvas  # rasters of the ground and of the surface
    coarse: Canvas  # the same, COARSE_CELLS times as coarse, for far ground
    terrain: Terrain
    boxes: Boxes  # buildings and barriers
    trees: Trees
    poles: Poles
    lanes: Lanes  # where cars may be
    skyline: np.ndarray  # float32 [360], elevation (radians) by azimuth degree
    places: np.ndarray  # float64 [N, 2], east and north of the aerial cameras
    style: MapStyle


def make_map(settings: WorldSettings, index: int, count: int) -> TownMap:
    """Builds map `index` with `count` places; the same on every call.

    The map is as small as its places allow, and grows until they fit.
    """
    style = draw_style(settings.style, settings.seed, index)
    streets, places, side = _plan(settings, index, count, style)
    rng = generator(settings.seed, index, 1)
    land = land_use.make_land(rng, side)
    terrain = make_terrain(rng, side, style.relief)
    occupancy = Occupancy(side)
    for street in streets:
        occupancy.take_line(street.points, 2 * street.half_corridor)
    for pond in land.ponds:
        occupancy.take_polygon(pond)
    houses = buildings.make_buildings(
        rng, streets, land, occupancy, style.built
    )
    walls = buildings.make_barriers(rng, streets, occupancy)
    poles = buildings.make_poles(rng, streets, occupancy)
    trees = style.tint_trees(
        vegetation.make_trees(rng, streets, land, occupancy, style)
    )
    boxes = style.tint_boxes(Boxes.join(houses, walls))
    canvas = blank_canvas(side, settings.metres_per_pixel)
    land_use.paint_land(canvas, land, rng)
    paint_streets(canvas, streets, rng)
    style.tint_ground(canvas)
    land_use.roughen(canvas, rng, style.roughness)
    canvas.lift_ground()
    buildings.paint_boxes(canvas, boxes, rng)
    vegetation.paint_trees(canvas, trees, rng)
    return TownMap(
        index,
        canvas,
        coarsen(canvas),
        terrain,
        _stand_on(boxes, terrain),
        _stand_on(trees, terrain),
        _stand_on(poles, terrain),
        _lanes(streets),
        _skyline(rng),
        places,
        style,
    )


def coarsen(canvas: Canvas) -> Canvas:
    """The same rasters with cells COARSE_CELLS times as long."""
    count = canvas.height.shape[0] // COARSE_CELLS
    size = (count, count)
    step = canvas.side / count
    offset = COARSE_CELLS // 2
    stop = offset + COARSE_CELLS * (count - 1) + 1
    sampled = slice(offset, stop, COARSE_CELLS)

    def mean(layer: np.ndarray) -> np.ndarray:
        return cv2.resize(layer, size, interpolation=cv2.INTER_AREA)

    def sample(layer: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(layer[sampled, sampled])

    return Canvas(
        canvas.side,
        step,
        mean(canvas.ground),
        sample(canvas.ground_material),
        mean(canvas.surface),
        sample(canvas.surface_material),
        mean(canvas.height),
    )


def _plan(
    settings: WorldSettings, index: int, count: int, style: MapStyle
) -> tuple[list[Street], np.ndarray, float]:
    """Streets and places of the smallest map that has `count` places."""
    spacing = (settings.spacing_min, settings.spacing_max)
    margin = max(MARGIN_METRES, settings.aerial_metres / 2 + SHADED_METRES)
    inner = max(100.0, math.sqrt(count * 9.0 / 0.024))
    while True:
        # Whole terrain and raster cells keep all layers of one extent.
        side = math.ceil((inner + 2 * margin) / 8) * 8.0
        rng = generator(settings.seed, index, 0)
        apart = rng.uniform(62, 74) * style.street_spacing
        streets = make_streets(rng, side, apart)
        places = make_places(rng, streets, side, margin, spacing)
        chosen = choose(places, count, spacing[1])
        if len(chosen) == count:
            return streets, chosen, side
        inner *= 1.06


def make_places(
    rng: np.random.Generator,
    streets: list[Street],
    side: float,
    margin: float,
    spacing: tuple[float, float],
) -> np.ndarray:
    """All places that a map has room for, float64 [N, 2], street by street.

    None within `margin` metres of the border; `spacing` is the least and the
    greatest distance to the nearest other place.
    """
    points = np.concatenate([_walk(rng, s, spacing) for s in streets])
    outside = (points < margin) | (points > side - margin)
    points = points[~outside.any(axis=1)]
    kept = np.zeros(len(points), bool)
    if len(points):
        near = cKDTree(points).query_ball_point(points, spacing[0])
        for row, others in enumerate(near):
            kept[row] = not kept[others].any()
    return without_isolated(points[kept], spacing[1])


def choose(places: np.ndarray, count: int, greatest: float) -> np.ndarray:
    """The first `count` places with another within `greatest` metres each.

    Fewer where the map has not as many.
    """
    taken = count
    while taken <= len(places):
        chosen = without_isolated(places[:taken], greatest)
        if len(chosen) >= count:
            # Dropping the last few may orphan one more, so look again.
            chosen = without_isolated(chosen[:count], greatest)
            if len(chosen) == count:
                return chosen
        taken += 1
    return without_isolated(places, greatest)[:count]


def without_isolated(places: np.ndarray, greatest: float) -> np.ndarray:
    """Drops places until each has another within `greatest` metres."""
    while len(places) > 1:
        nearest = cKDTree(places).query(places, k=2)[0][:, 1]
        if not (nearest > greatest).any():
            return places
        places = places[nearest <= greatest]
    return places[:0]


def _walk(
    rng: np.random.Generator, street: Street, spacing: tuple[float, float]
) -> np.ndarray:
    """Points on one of a street's lanes, a random stride apart, [K, 2]."""
    length = street.length
    low, high = spacing[0] * 1.08, spacing[1] * 0.88
    strides = rng.uniform(low, high, int(length / low) + 1)
    distances = np.cumsum(strides)
    distances = distances[distances < length]
    lane = 0.0 if street.lanes == 1 else street.width / 4
    lane *= rng.choice([-1.0, 1.0])
    return street.beside(distances, min(lane, 2.5))


def _stand_on(things: _Things, terrain: Terrain) -> _Things:
    """The same things with their base on the terrain."""
    east, north = things.centre.T
    if len(east) == 0:
        return things
    base = terrain.at(east, north)[0]
    return dataclasses.replace(things, base=base.astype(np.float32))


def _lanes(streets: list[Street]) -> Lanes:
    """A point every 2 m of every street, clear of its ends."""
    lanes = []
    for street in streets:
        points, tangents = street.along(np.arange(7, street.length - 7, 2.0))
        half_width = np.full(len(points), street.width / 2)
        columns = points, tangents, half_width
        lanes.append(Lanes(*(column.astype(np.float32) for column in columns)))
    return Lanes.join(*lanes)


def _skyline(rng: np.random.Generator) -> np.ndarray:
    """Far hills, and a few towers, by azimuth.

    The same from every place of a map, so they distinguish none.
    """
    degrees = np.arange(360)
    ridge = np.full(360, 1.6)
    for order in range(2, 14):
        phase = rng.uniform(0, 2 * np.pi)
        wave = np.sin(order * np.radians(degrees) + phase)
        ridge += rng.normal(0, 1.3 / order) * wave
    for _ in range(int(rng.integers(6, 14))):
        first = int(rng.integers(0, 355))
        last = first + int(rng.integers(1, 4))
        ridge[first:last] += rng.uniform(0.4, 1.5)
    return np.radians(np.maximum(ridge, 0.3)).astype(np.float32)
