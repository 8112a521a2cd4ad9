"""Garden walls, hedges and fences along the streets, and lamp poles."""

from __future__ import annotations

import dataclasses

import numpy as np

from mgtl_tf.synthetic.town.boxes import Boxes, Kind, corners, stack_boxes
from mgtl_tf.synthetic.town.canvas import Occupancy
from mgtl_tf.synthetic.town.palette import BARRIERS, HEDGES, pick
from mgtl_tf.synthetic.town.streets import Street, left_of

PIECE_METRES = 6.0
THICKNESS = {Kind.WALL: 0.3, Kind.HEDGE: 0.9, Kind.FENCE: 0.15}


@dataclasses.dataclass(frozen=True)
class Poles:
    """N thin upright cylinders.

    Attributes:
        centre: float32 [N, 2], east and north, metres.
        base: float32 [N], height of the ground there.
        height: float32 [N], metres above base.
        radius: float32 [N], metres.
        colour: float32 [N, 3], RGB.
    """

    centre: np.ndarray
    base: np.ndarray
    height: np.ndarray
    radius: np.ndarray
    colour: np.ndarray

    def take(self, rows: np.ndarray) -> Poles:
        """Some of the poles, by index or mask."""
        return Poles(
            *(
                getattr(self, field.name)[rows]
                for field in dataclasses.fields(self)
            )
        )


def make_barriers(
    rng: np.random.Generator, streets: list[Street], occupancy: Occupancy
) -> Boxes:
    """Barriers in runs of a few straight pieces that follow the street."""
    rows: list[dict] = []
    for street in streets:
        for side in (-1.0, 1.0):
            if rng.random() < 0.45:
                _run(rng, street, side, occupancy, rows)
    return stack_boxes(rows)


def make_poles(
    rng: np.random.Generator, streets: list[Street], occupancy: Occupancy
) -> Poles:
    """Lamp and wire poles, on one side of most streets."""
    points = [np.zeros((0, 2))]
    for street in streets:
        if rng.random() < 0.3:
            continue
        length = street.length
        gap = rng.uniform(16, 34)
        distances = np.arange(rng.uniform(3, gap), length, gap)
        place, tangents = street.along(distances)
        offset = street.half_corridor + 0.5
        side = rng.choice([-1.0, 1.0])
        points.append(place + left_of(tangents) * offset * side)
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
    rng: np.random.Generator,
    street: Street,
    side: float,
    occupancy: Occupancy,
    rows: list[dict],
) -> None:
    """One barrier along a part of one side of a street."""
    length = street.length
    kind = (Kind.WALL, Kind.HEDGE, Kind.FENCE)[int(rng.integers(3))]
    family = HEDGES if kind == Kind.HEDGE else BARRIERS
    colour = pick(rng, family, 1, 0.08)[0]
    eaves = rng.uniform(0.8, 2.0)
    offset = side * (street.half_corridor + rng.uniform(0.7, 1.6))
    first, last = np.sort(rng.uniform(0, length, 2))
    ends = np.arange(first, last, PIECE_METRES)
    points, tangents = street.along(ends)
    points = points + left_of(tangents) * offset
    for start, end in zip(points[:-1], points[1:], strict=True):
        reach = end - start
        angle = float(np.arctan2(reach[1], reach[0]))
        half = np.array([np.hypot(*reach) / 2 + 0.05, THICKNESS[kind] / 2])
        outline = corners((start + end) / 2, half, angle)
        if rng.random() < 0.1 or not occupancy.is_free(outline):
            continue
        occupancy.take_polygon(outline)
        rows.append(
            {
                "centre": (start + end) / 2,
                "half": half,
                "angle": angle,
                "eaves": eaves,
                "facade": colour,
                "roof": colour * 0.95,
                "kind": kind,
            }
        )
