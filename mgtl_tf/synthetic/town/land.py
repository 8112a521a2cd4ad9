"""What lies between the streets: lawns, parks, fields, squares, water."""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools

import cv2
import numpy as np
from scipy.spatial import Voronoi, cKDTree

from mgtl_tf.synthetic.town.canvas import Canvas
from mgtl_tf.synthetic.town.terrain import octaves
from mgtl_tf.synthetic.town.things import FIELDS, GROUND, Material, pick

CELL_METRES = 62.0
TILE = 512


class Use(enum.IntEnum):
    """The use of a parcel."""

    HOMES = 0
    OFFICES = 1
    PARK = 2
    FIELD = 3
    SQUARE = 4


SHARES = (0.40, 0.16, 0.16, 0.19, 0.09)


@dataclasses.dataclass(frozen=True)
class Land:
    """The parcels: a Voronoi diagram with a use for each cell."""

    seeds: np.ndarray  # float64 [N, 2], of the cells
    uses: np.ndarray  # int [N], Use values
    ponds: list[np.ndarray]  # polygons float64 [K, 2] of water

    def use_at(self, points: np.ndarray) -> np.ndarray:
        """The use at points [K, 2], int [K]."""
        return self.uses[self._tree.query(points)[1]]

    @functools.cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.seeds)


def make_land(rng: np.random.Generator, side: float) -> Land:
    """Parcels and ponds of a map."""
    # Seeds beyond the border close the cells that the border cuts.
    reach = side + 4 * CELL_METRES
    count = int((reach / CELL_METRES) ** 2)
    seeds = rng.uniform(-2 * CELL_METRES, side + 2 * CELL_METRES, (count, 2))
    uses = rng.choice(len(SHARES), size=count, p=SHARES)
    parks = seeds[(uses == Use.PARK) & (rng.random(count) < 0.5)]
    return Land(seeds, uses, [_blob(rng, centre) for centre in parks])


def paint_land(canvas: Canvas, land: Land, rng: np.random.Generator) -> None:
    """Paints parcels, ponds and the unevenness of everything unpaved."""
    diagram = Voronoi(land.seeds)
    for seed, region in enumerate(diagram.point_region):
        corners = diagram.regions[region]
        if -1 in corners or not corners:
            continue
        polygon = diagram.vertices[corners]
        material = _material(rng, int(land.uses[seed]))
        colour = pick(rng, (GROUND[material],), 1, 0.07)[0]
        canvas.polygon(polygon, colour, material)
        if material in FIELDS:
            _furrows(canvas, polygon, colour, material, rng)
    for pond in land.ponds:
        water = pick(rng, (GROUND[Material.WATER],), 1, 0.06)[0]
        canvas.polygon(pond, water, Material.WATER)


def roughen(
    canvas: Canvas, rng: np.random.Generator, factor: float = 1.0
) -> None:
    """Mottles the ground: patches of metres and grain of a cell.

    `factor` multiplies the strength.
    """
    count = canvas.height.shape[0]
    size = min(count, TILE)
    cells = [9 / canvas.step, 2.5 / canvas.step, 1.0]
    tile = octaves(rng, size, size, cells)
    strength = np.full(len(Material), 0.025, np.float32)
    strength[: Material.WATER] = 0.06
    strength *= factor
    starts = range(0, -(-count // size))
    for row, column in itertools.product(starts, starts):
        part = (
            slice(row * size, (row + 1) * size),
            slice(column * size, (column + 1) * size),
        )
        material = canvas.ground_material[part]
        # Neighbouring tiles are mirrored, so that no seam shows.
        noise = tile[:: -1 if row % 2 else 1, :: -1 if column % 2 else 1]
        level = noise[: material.shape[0], : material.shape[1]]
        level = 1 + level * np.take(strength, material)
        canvas.ground[part] = cv2.multiply(
            canvas.ground[part], cv2.merge([level] * 3), dtype=cv2.CV_8U
        )


def _material(rng: np.random.Generator, use: int) -> Material:
    """The ground cover of one parcel."""
    if use == Use.FIELD:
        return FIELDS[int(rng.integers(3))]
    if use == Use.SQUARE:
        choices = (Material.PAVING, Material.ASPHALT, Material.GRAVEL)
        return choices[int(rng.integers(3))]
    if use == Use.OFFICES and rng.random() < 0.5:
        return Material.PAVING
    return Material.GRASS


def _furrows(
    canvas: Canvas,
    polygon: np.ndarray,
    colour: np.ndarray,
    material: Material,
    rng: np.random.Generator,
) -> None:
    """Rows of a crop: lines of a lighter or darker shade over a field."""
    angle, gap = rng.uniform(0, np.pi), rng.uniform(3.0, 6.0)
    direction = np.array([np.cos(angle), np.sin(angle)])
    normal = np.array([-direction[1], direction[0]])
    shade = colour * rng.choice([0.84, 1.14])
    centre = polygon.mean(0)
    offsets = (polygon - centre) @ normal
    for offset in np.arange(offsets.min() + gap, offsets.max(), gap):
        ends = _chord(polygon - centre, normal, offset)
        if ends is not None:
            canvas.line(ends + centre, gap * 0.4, shade, material)


def _chord(
    polygon: np.ndarray, normal: np.ndarray, offset: float
) -> np.ndarray | None:
    """Where the line {x: x . normal = offset} crosses a convex polygon."""
    side = polygon @ normal - offset
    after, next_side = np.roll(polygon, -1, 0), np.roll(side, -1)
    crossing = np.flatnonzero(side * next_side < 0)
    if len(crossing) != 2:
        return None
    share = (side / (side - next_side))[crossing, None]
    return polygon[crossing] + share * (after - polygon)[crossing]


def _blob(rng: np.random.Generator, centre: np.ndarray) -> np.ndarray:
    """A pond: a wobbling circle, float64 [48, 2]."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.full(48, rng.uniform(8, 22))
    for order in (2, 3, 4):
        phase = rng.uniform(0, 2 * np.pi)
        wobble = rng.normal(0, 0.14) * np.sin(order * angle + phase)
        radius = radius * (1 + wobble)
    return centre + radius[:, None] * np.stack(
        [np.cos(angle), np.sin(angle)], 1
    )
