"""Streets on the raster: sidewalks, carriageways, junctions, markings."""

from __future__ import annotations

import numpy as np

from mgtl_tf.synthetic.town.canvas import Canvas
from mgtl_tf.synthetic.town.palette import GROUND, Material, pick
from mgtl_tf.synthetic.town.streets import Street, left_of

DASH_METRES = 3.0
JUNCTION_METRES = 9.0
WHITE = np.asarray(GROUND[Material.MARKING], np.float32)


def paint_streets(
    canvas: Canvas, streets: list[Street], rng: np.random.Generator
) -> None:
    """Paints all streets, from below: kerbs, carriageways, then markings.

    Each layer goes over the whole network before the next begins: else a
    sidewalk would cross the carriageway of a street painted earlier.
    """
    paving = pick(rng, (GROUND[Material.PAVING],), len(streets), 0.07)
    for street, colour in zip(streets, paving, strict=True):
        if street.sidewalk:
            canvas.line(
                street.points,
                2 * street.half_corridor,
                colour,
                Material.PAVING,
            )
    for street in streets:
        canvas.line(street.points, street.width, street.colour, street.material)
    for street in streets:
        _mark(canvas, street)


def _mark(canvas: Canvas, street: Street) -> None:
    """Centre dashes, edge lines and crossings, clear of the junctions."""
    length = street.length
    if length < 3 * JUNCTION_METRES or street.lanes == 1:
        return
    inner = np.arange(JUNCTION_METRES, length - JUNCTION_METRES, 1.0)
    points, tangents = street.along(inner)
    for first in range(0, len(points) - 3, int(2 * DASH_METRES)):
        dash = points[first : first + int(DASH_METRES) + 1]
        canvas.line(dash, 0.25, WHITE, Material.MARKING)
    if street.edge_lines:
        offset = left_of(tangents) * (street.width / 2 - 0.35)
        for edge in (points + offset, points - offset):
            canvas.line(edge, 0.2, WHITE, Material.MARKING)
    for wanted, place in zip(
        street.zebra, (JUNCTION_METRES, length - JUNCTION_METRES), strict=True
    ):
        if wanted:
            _zebra(canvas, street, place)


def _zebra(canvas: Canvas, street: Street, place: float) -> None:
    """A crossing of white bars, 3 m long and 0.5 m wide."""
    centre, tangent = street.along(np.array([place]))
    normal = left_of(tangent)
    bars = np.arange(-street.width / 2 + 0.6, street.width / 2 - 0.3, 1.0)
    for bar in bars:
        middle = centre + normal * bar
        ends = np.concatenate([middle - tangent * 1.5, middle + tangent * 1.5])
        canvas.line(ends, 0.5, WHITE, Material.MARKING)
