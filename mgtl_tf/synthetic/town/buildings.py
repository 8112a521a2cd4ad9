"""Houses and blocks along the streets, barriers, poles, and their tops."""

from __future__ import annotations

import numpy as np

from mgtl_tf.synthetic.town.canvas import Canvas, Occupancy
from mgtl_tf.synthetic.town.land import Land, Use
from mgtl_tf.synthetic.town.streets import Street, left_of
from mgtl_tf.synthetic.town.things import (
    BARRIERS,
    FACADES,
    HEDGES,
    ROOFS,
    Boxes,
    Kind,
    Material,
    Poles,
    corners,
    pick,
    stack_boxes,
)

PIECE_METRES = 6.0
THICKNESS = {Kind.WALL: 0.3, Kind.HEDGE: 0.9, Kind.FENCE: 0.15}


# Chance that a lot is built on, by its parcel's use.
BUILT = {
    Use.HOMES: 0.8,
    Use.OFFICES: 0.85,
    Use.PARK: 0.06,
    Use.FIELD: 0.15,
    Use.SQUARE: 0.25,
}
PAINTED = {
    Kind.BUILDING: Material.ROOF,
    Kind.WALL: Material.WALL,
    Kind.FENCE: Material.WALL,
    Kind.HEDGE: Material.HEDGE,
    Kind.CAR: Material.CAR,
}


def make_buildings(
    rng: np.random.Generator,
    streets: list[Street],
    land: Land,
    occupancy: Occupancy,
    built: float = 1.0,
) -> Boxes:
    """Rows of buildings on both sides of each street, base 0.

    Takes their ground in `occupancy`. `built` is a factor on the chance that
    a lot is built on.
    """
    rows: list[dict] = []
    for street in streets:
        for side in (-1.0, 1.0):
            _build_row(rng, street, side, land, occupancy, rows, built)
    return stack_boxes(rows)


def paint_boxes(canvas: Canvas, boxes: Boxes, rng: np.random.Generator) -> None:
    """Raises the boxes' tops on the surface raster."""
    speckle = rng.normal(0, 0.035, (64, 64)).astype(np.float32)
    for index in range(len(boxes)):
        half = boxes.half[index]
        slices, east, north = canvas.window(
            boxes.centre[index], float(np.hypot(*half)) + canvas.step
        )
        angle = float(boxes.angle[index])
        length = east * np.cos(angle) + north * np.sin(angle)
        width = north * np.cos(angle) - east * np.sin(angle)
        inside = (np.abs(length) <= half[0]) & (np.abs(width) <= half[1])
        ridge = boxes.rise[index] * (1 - np.abs(width) / half[1])
        height = np.where(inside, boxes.eaves[index] + ridge, 0)
        rows, columns = height.shape
        grain = np.tile(speckle, (rows // 64 + 1, columns // 64 + 1))
        level = 1 + grain[:rows, :columns]
        if boxes.kind[index] == Kind.BUILDING and boxes.rise[index] == 0:
            rim = np.minimum(half[0] - np.abs(length), half[1] - np.abs(width))
            level = np.where(rim < 0.5, level * 1.18, level)
        canvas.raise_surface(
            slices,
            height.astype(np.float32),
            boxes.roof[index] * level[..., None],
            PAINTED[Kind(int(boxes.kind[index]))],
        )


def _build_row(
    rng: np.random.Generator,
    street: Street,
    side: float,
    land: Land,
    occupancy: Occupancy,
    rows: list[dict],
    built: float,
) -> None:
    """Walks one side of a street and builds where there is room."""
    length = street.length
    distance = float(rng.uniform(4, 16))
    while distance < length - 4:
        place, tangent = street.along(np.array([distance]))
        normal = left_of(tangent)[0] * side
        look = place[0] + normal * (street.half_corridor + 9)
        use = Use(int(land.use_at(look[None])[0]))
        if rng.random() > BUILT[use] * built:
            distance += float(rng.uniform(8, 16))
            continue
        design = _design(rng, use)
        half = design["half"]
        setback = street.half_corridor + rng.uniform(1.5, 8.0) + half[1]
        angle = float(np.arctan2(tangent[0, 1], tangent[0, 0]))
        angle += float(rng.normal(0, 0.05))
        centre = place[0] + normal * setback
        outline = corners(centre, half, angle, 1.0)
        if not occupancy.is_free(outline):
            distance += 5.0
            continue
        occupancy.take_polygon(outline)
        rows.append({**design, "centre": centre, "angle": angle})
        if rng.random() < 0.35:
            _add_wing(rng, rows, normal, occupancy)
        distance += float(half[0] + rng.uniform(9, 18))


def _design(rng: np.random.Generator, use: Use) -> dict:
    """Size, roof, colours and windows of one building."""
    storey = float(rng.uniform(2.8, 3.4))
    if use in (Use.OFFICES, Use.SQUARE):
        half = np.array([rng.uniform(7, 16), rng.uniform(6, 10)])
        eaves = storey * int(rng.integers(2, 8))
        rise = 0.0 if rng.random() < 0.85 else rng.uniform(2, 4)
    else:
        half = np.array([rng.uniform(4.5, 8.5), rng.uniform(3.6, 5.6)])
        eaves = storey * int(rng.integers(1, 4))
        rise = 0.0 if rng.random() < 0.2 else rng.uniform(1.4, 3.8)
    return {
        "half": half,
        "eaves": eaves,
        "rise": float(rise),
        "facade": pick(rng, FACADES, 1, 0.08)[0],
        "roof": pick(rng, ROOFS, 1, 0.1)[0],
        "kind": Kind.BUILDING,
        "window": (rng.uniform(2.0, 4.2), storey, rng.uniform(0.35, 0.75)),
    }


def _add_wing(
    rng: np.random.Generator,
    rows: list[dict],
    away: np.ndarray,
    occupancy: Occupancy,
) -> None:
    """A lower wing behind the last building, if there is room."""
    main = rows[-1]
    half = np.array([main["half"][1] * 0.8, main["half"][0] * 0.4])
    axis = np.array([np.cos(main["angle"]), np.sin(main["angle"])])
    shift = (main["half"][0] - half[1]) * rng.choice([-1.0, 1.0])
    centre = main["centre"] + axis * shift
    centre = centre + away * (main["half"][1] + half[0] - 0.5)
    angle = main["angle"] + np.pi / 2
    # The half nearer to the main house lies on ground it has taken itself.
    far = corners(centre + away * half[0], half * (0.8, 1.0), angle)
    if occupancy.is_free(far):
        occupancy.take_polygon(corners(centre, half, angle, 1.0))
        rows.append(
            {
                **main,
                "centre": centre,
                "half": half,
                "angle": angle,
                "eaves": main["eaves"] * rng.uniform(0.55, 1.0),
                "rise": main["rise"] * 0.7,
            }
        )


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
