"""Trees: where they stand, their crowns and trunks, and their tops above."""

from __future__ import annotations

import numpy as np

from mgtl_tf.synthetic.town.canvas import Canvas, Occupancy
from mgtl_tf.synthetic.town.land import Land, Use
from mgtl_tf.synthetic.town.streets import Street
from mgtl_tf.synthetic.town.style import MapStyle
from mgtl_tf.synthetic.town.things import (
    CONIFERS,
    LEAVES,
    Material,
    Trees,
    pick,
)

# Chance that a candidate grows, by its parcel's use.
GROWS = np.zeros(len(Use))
GROWS[[Use.HOMES, Use.OFFICES, Use.PARK, Use.FIELD, Use.SQUARE]] = (
    0.34,
    0.16,
    0.55,
    0.05,
    0.1,
)


def make_trees(
    rng: np.random.Generator,
    streets: list[Street],
    land: Land,
    occupancy: Occupancy,
    style: MapStyle,
) -> Trees:
    """Street trees, garden trees and groves, none on taken ground."""
    centre = np.concatenate(
        [_avenues(rng, streets), _scattered(rng, land, occupancy.side, style)]
    )
    centre = centre[occupancy.free_points(centre)]
    centre = _thin_out(centre, 2.6)
    count = len(centre)
    conifer = rng.random(count) < style.conifers
    size = rng.uniform(0.6, 1.35, count) * style.tree_size
    radius = np.where(conifer, 1.9, rng.uniform(1.9, 3.4, count)) * size
    bottom = np.where(conifer, 1.0, rng.uniform(2.0, 3.0, count)) * (
        0.7 + 0.3 * size
    )
    bottom = bottom * (1 - style.undergrowth)
    crown = np.where(conifer, 9.5, rng.uniform(3.5, 6.5, count)) * size
    colour = np.where(
        conifer[:, None],
        pick(rng, CONIFERS, count, 0.08),
        pick(rng, LEAVES, count, 0.1),
    )
    return Trees(
        centre.astype(np.float32),
        np.zeros(count, np.float32),
        radius.astype(np.float32),
        bottom.astype(np.float32),
        (bottom + crown).astype(np.float32),
        (0.1 + 0.09 * size).astype(np.float32),
        conifer,
        colour.astype(np.float32),
    )


def paint_trees(canvas: Canvas, trees: Trees, rng: np.random.Generator) -> None:
    """Raises the crowns on the surface raster, their rims ragged."""
    bumps = rng.normal(0, 1, (96, 96)).astype(np.float32)
    for index in range(len(trees.radius)):
        radius = float(trees.radius[index])
        slices, east, north = canvas.window(trees.centre[index], radius + 0.5)
        distance = np.sqrt(east**2 + north**2) / radius
        rows, columns = distance.shape
        first = index * 7 % 40
        bump = bumps[first : first + rows, first : first + columns]
        if bump.shape != distance.shape:
            bump = np.resize(bumps, distance.shape)
        distance = distance + 0.07 * bump
        depth = trees.top[index] - trees.bottom[index]
        if trees.conifer[index]:
            height = trees.top[index] - depth * distance
        else:
            dome = np.sqrt(np.maximum(1 - distance**2, 0))
            height = trees.top[index] - depth / 2 * (1 - dome)
        height = np.where(distance < 1, height + 0.25 * bump, 0)
        level = 1 + 0.07 * bump[..., None]
        canvas.raise_surface(
            slices,
            height.astype(np.float32),
            trees.colour[index] * level,
            Material.CONIFER if trees.conifer[index] else Material.LEAF,
        )


def _avenues(rng: np.random.Generator, streets: list[Street]) -> np.ndarray:
    """Trees just beyond both sidewalks of the streets that have some."""
    points = [np.zeros((0, 2))]
    for street in streets:
        if not street.avenue:
            continue
        for side in (-1.0, 1.0):
            if rng.random() < 0.3:
                continue
            first = rng.uniform(2, 10)
            distances = np.arange(first, street.length, street.avenue)
            distances = distances + rng.normal(0, 1.2, len(distances))
            distances = distances[rng.random(len(distances)) < 0.8]
            offset = side * (street.half_corridor + rng.uniform(0.9, 1.6))
            points.append(street.beside(distances, offset))
    return np.concatenate(points)


def _scattered(
    rng: np.random.Generator, land: Land, side: float, style: MapStyle
) -> np.ndarray:
    """Trees between the streets, denser in parks and gardens."""
    count = int(side * side / style.tree_area)
    points = rng.uniform(0, side, (count, 2))
    chance = GROWS[land.use_at(points)] * style.tree_chance
    grows = rng.random(count) < chance
    return points[grows]


def _thin_out(points: np.ndarray, least: float) -> np.ndarray:
    """Keeps the first point of each grid cell of `least` metres."""
    cells = np.floor(points / least).astype(np.int64)
    _, first = np.unique(cells, axis=0, return_index=True)
    return points[np.sort(first)]
