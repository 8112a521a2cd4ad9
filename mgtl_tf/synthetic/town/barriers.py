"""Garden walls, hedges and fences along the streets, and lamp poles."""

from __future__ import annotations

import numpy as np

from mgtl_tf.synthetic.town.canvas import Occupancy
from mgtl_tf.synthetic.town.palette import BARRIERS, HEDGES, pick
from mgtl_tf.synthetic.town.streets import Street
from mgtl_tf.synthetic.town.things import (
    Boxes,
    Kind,
    Poles,
    corners,
    stack_boxes,
)

PIECE_METRES = 6.0
THICKNESS = {Kind.WALL: 0.3, Kind.HEDGE: 0.9, Kind.FENCE: 0.15}


def make_barriers(
    rng: np.random.Generator, streets: list[Street], occupancy: Occupancy
) -> Boxes:
    """Barriers in runs of a few straight pieces that follow the street."""
    rows: list[dict] = []
    for street in streets:
        for side in (-1.0, 1.0):
            if rng.random() < 0.45:
                rows += _run(rng, street, side, occupancy)
    return stack_boxes(rows)


def make_poles(
    rng: np.random.Generator, streets: list[Street], occupancy: Occupancy
) -> Poles:
    """Lamp and wire poles, on one side of most streets."""
    points = [np.zeros((0, 2))]
    for street in streets:
        if rng.random() < 0.3:
            continue
        gap = rng.uniform(16, 34)
        distances = np.arange(rng.uniform(3, gap), street.length, gap)
        offset = street.half_corridor + 0.5
        points.append(
            street.beside(distances, offset * rng.choice([-1.0, 1.0]))
        )
    centre = np.concatenate(points)
    centre = centre[occupancy.free_points(centre)]
    count = len(centre)
    shade = rng.uniform(70, 150, (count, 1))
    return Poles(
        centre.astype(np.float32),
        np.zeros(count, np.float32),
        rng.uniform(5.0, 9.0, count).astype(np.float32),
        rng.uniform(0.08, 0.16, count).astype(np.float32),
        (shade * (1.0, 0.97, 0.93)).astype(np.float32),
    )


def _run(
    rng: np.random.Generator, street: Street, side: float, occupancy: Occupancy
) -> list[dict]:
    """One barrier along a part of one side of a street."""
    kind = (Kind.WALL, Kind.HEDGE, Kind.FENCE)[int(rng.integers(3))]
    family = HEDGES if kind == Kind.HEDGE else BARRIERS
    colour = pick(rng, family, 1, 0.08)[0]
    eaves = rng.uniform(0.8, 2.0)
    offset = side * (street.half_corridor + rng.uniform(0.7, 1.6))
    first, last = np.sort(rng.uniform(0, street.length, 2))
    points = street.beside(np.arange(first, last, PIECE_METRES), offset)
    rows = []
    for start, end in zip(points[:-1], points[1:], strict=True):
        reach = end - start
        box = {
            "centre": (start + end) / 2,
            "half": np.array(
                [np.hypot(*reach) / 2 + 0.05, THICKNESS[kind] / 2]
            ),
            "angle": float(np.arctan2(reach[1], reach[0])),
        }
        outline = corners(**box)
        if rng.random() < 0.1 or not occupancy.is_free(outline):
            continue
        occupancy.take_polygon(outline)
        look = {"facade": colour, "roof": colour * 0.95, "kind": kind}
        rows.append({**box, **look, "eaves": eaves})
    return rows
