"""The street network: where the streets run, and how they are painted."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from mgtl_tf.synthetic.town.canvas import Canvas
from mgtl_tf.synthetic.town.things import GROUND, Material, pick

POINT_SPACING = 1.5
DASH_METRES = 3.0
JUNCTION_METRES = 9.0
WHITE = np.asarray(GROUND[Material.MARKING], np.float32)


@dataclasses.dataclass(frozen=True)
class Street:
    """One street between two junctions."""

    points: np.ndarray  # float64 [N, 2], its centre line, about 1.5 m a step
    width: float  # of the carriageway, metres
    sidewalk: float  # width of each sidewalk, metres, 0 for none
    material: Material  # ASPHALT, PAVING or GRAVEL
    colour: np.ndarray  # float32 [3]
    lanes: int  # 2 with a centre line, 1 without
    edge_lines: bool  # whether white lines run along both edges
    zebra: tuple[bool, bool]  # crossings at its first and its last end
    avenue: float  # metres between its street trees, 0 for none

    @functools.cached_property
    def course(self) -> tuple[np.ndarray, np.ndarray]:
        """Metres from the start [N] and unit tangents [N, 2] of points."""
        steps = np.hypot(*np.diff(self.points, axis=0).T)
        tangents = np.gradient(self.points, axis=0)
        tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
        return np.concatenate([[0.0], np.cumsum(steps)]), tangents

    @property
    def length(self) -> float:
        """Metres from end to end."""
        return float(self.course[0][-1])

    def along(self, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points [K, 2] and unit tangents [K, 2] at metres from the start."""
        lengths, tangents = self.course
        distances = np.atleast_1d(distances)
        values = np.empty((4, len(distances)))
        for row, axis in enumerate((*self.points.T, *tangents.T)):
            values[row] = np.interp(distances, lengths, axis)
        heading = values[2:] / np.hypot(values[2], values[3])
        return values[:2].T, heading.T

    def beside(self, distances: np.ndarray, offset: float) -> np.ndarray:
        """Points [K, 2] some metres to the left of the centre line."""
        points, tangents = self.along(distances)
        return points + left_of(tangents) * offset

    @property
    def half_corridor(self) -> float:
        """Metres from the centre line to the far side of the sidewalk."""
        return self.width / 2 + self.sidewalk


def make_streets(
    rng: np.random.Generator, side: float, spacing: float
) -> list[Street]:
    """A bent, torn and shaken lattice, so that no two corners are alike.

    Junctions are about `spacing` metres apart. Streets come by width: main
    ones are painted over the small ones.
    """
    count = int(np.ceil(side / spacing)) + 2
    bend = _warp(rng, side)
    grid = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1) - 0.5
    nodes = (grid + rng.uniform(-0.26, 0.26, grid.shape)) * spacing
    main = rng.random((2, count)) < 0.22
    streets = []
    for row in range(count):
        for column in range(count):
            for axis, (down, right) in enumerate(((0, 1), (1, 0), (1, 1))):
                if row + down >= count or column + right >= count:
                    continue
                if axis == 2:
                    is_main, chance = False, 0.07
                else:
                    is_main = bool(main[axis, column if axis else row])
                    chance = 1.0 if is_main else 0.8
                if rng.random() > chance:
                    continue
                ends = nodes[row, column], nodes[row + down, column + right]
                points = bend(_curve(rng, *ends))
                streets.append(_furnish(rng, points, is_main))
    streets.sort(key=lambda street: street.width)
    return streets


def left_of(tangents: np.ndarray) -> np.ndarray:
    """Unit normals [K, 2] to the left of unit tangents."""
    return np.stack([-tangents[:, 1], tangents[:, 0]], 1)


def _curve(
    rng: np.random.Generator, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """A quadratic Bezier curve between two junctions, as a polyline."""
    chord = end - start
    length = float(np.hypot(*chord))
    normal = np.array([-chord[1], chord[0]])
    middle = (start + end) / 2 + normal * rng.normal(0.0, 0.13)
    share = np.linspace(0, 1, max(8, int(length / POINT_SPACING)))[:, None]
    return (
        (1 - share) ** 2 * start
        + 2 * share * (1 - share) * middle
        + share**2 * end
    )


def _warp(rng: np.random.Generator, side: float):
    """A smooth bending of the whole plane, the same for every street."""
    count = 5
    waves = rng.normal(0, 1, (count, 2))
    waves /= np.linalg.norm(waves, axis=1, keepdims=True)
    waves *= 2 * np.pi / rng.uniform(160, 420, (count, 1))
    phases = rng.uniform(0, 2 * np.pi, count)
    shifts = rng.normal(0, 6.0, (count, 2))

    def bend(points: np.ndarray) -> np.ndarray:
        return points + np.sin(points @ waves.T + phases) @ shifts

    return bend


def _furnish(
    rng: np.random.Generator, points: np.ndarray, is_main: bool
) -> Street:
    """Width, surface, markings and trees of one street."""
    kind = rng.random()
    material, lanes, edge_lines = Material.ASPHALT, 2, bool(rng.random() < 0.5)
    if is_main:
        width = rng.uniform(9.0, 13.0)
        sidewalk = rng.uniform(1.8, 3.2)
    elif kind < 0.14:
        width, sidewalk = rng.uniform(3.2, 4.8), 0.0
        material, lanes, edge_lines = Material.GRAVEL, 1, False
    elif kind < 0.24:
        width, sidewalk = rng.uniform(4.5, 7.0), 0.0
        material, lanes, edge_lines = Material.PAVING, 1, False
    else:
        width = rng.uniform(5.4, 8.6)
        sidewalk = float(rng.choice([0.0, 1.4, 1.8, 2.4]))
        lanes = 2 if rng.random() < 0.65 else 1
    first, last = rng.random(2) < (0.55 if is_main else 0.22)
    walkable = lanes == 2 and sidewalk > 0
    return Street(
        points,
        float(width),
        float(sidewalk),
        material,
        pick(rng, (GROUND[material],), 1, 0.11)[0],
        lanes,
        edge_lines,
        (bool(first) and walkable, bool(last) and walkable),
        float(rng.uniform(8, 16)) if rng.random() < 0.45 else 0.0,
    )


def paint_streets(
    canvas: Canvas, streets: list[Street], rng: np.random.Generator
) -> None:
    """Paints all streets, from below: kerbs, carriageways, then markings.

    Each layer is painted over all streets before the next begins: else a
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
    points, _ = street.along(inner)
    for first in range(0, len(points) - 3, int(2 * DASH_METRES)):
        dash = points[first : first + int(DASH_METRES) + 1]
        canvas.line(dash, 0.25, WHITE, Material.MARKING)
    if street.edge_lines:
        offset = street.width / 2 - 0.35
        for side in (offset, -offset):
            edge = street.beside(inner, side)
            canvas.line(edge, 0.2, WHITE, Material.MARKING)
    ends = JUNCTION_METRES, length - JUNCTION_METRES
    for wanted, place in zip(street.zebra, ends, strict=True):
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
