"""Upright strips of one column each: what obstacles look like to a ray fan.

An obstacle cut by the vertical plane of a column shows as one strip of the
column from a top row to a bottom row. The strips are painted from far to
near, all columns at once, so what is nearer hides what is farther.
"""

from __future__ import annotations

import dataclasses
import enum
import functools

import numpy as np

from mgtl_tf.synthetic.cameras.rays import Camera, fan_out
from mgtl_tf.synthetic.town.terrain import generator, octaves
from mgtl_tf.synthetic.town.things import Boxes, Columns, Poles, Trees

NEAREST_METRES = 0.4
# A wall reaches below its base, for where the ground falls away from it.
FOUNDATION_METRES = 2.0


class Part(enum.IntEnum):
    """What a strip shows."""

    SIDE = 0
    ROOF = 1
    CROWN = 2
    STEM = 3


@dataclasses.dataclass(frozen=True)
class Spans(Columns):
    """M strips."""

    part: np.ndarray  # int32 [M], Part values
    thing: np.ndarray  # int32 [M], of box, tree or pole (poles after trees)
    column: np.ndarray  # int32 [M]
    top: np.ndarray  # int32 [M], first row
    bottom: np.ndarray  # int32 [M], one past the last row
    depth: np.ndarray  # float32 [M], metres from the camera along the ground
    across: np.ndarray  # float32 [M], metres along a wall, -1..1 of a crown
    face_east: np.ndarray  # float32 [M], the side's outward normal
    face_north: np.ndarray  # float32 [M]


def box_spans(camera: Camera, boxes: Boxes) -> Spans:
    """Sides and roofs of boxes."""
    eye = camera.eye
    centre = boxes.centre - eye[:2]
    fan = fan_out(camera, centre, np.hypot(*boxes.half.T))
    n = fan.thing
    cosine, sine = np.cos(boxes.angle)[n], np.sin(boxes.angle)[n]
    half_u, half_v = boxes.half[n].T
    from_east, from_north = -centre[n].T
    u, v = _turn(from_east, from_north, cosine, sine)
    du, dv = _turn(fan.east, fan.north, cosine, sine)
    enter_u, leave_u = _slab(u, du, half_u)
    enter_v, leave_v = _slab(v, dv, half_v)
    near, far = np.maximum(enter_u, enter_v), np.minimum(leave_u, leave_v)
    hit = np.flatnonzero((far > near) & (near > NEAREST_METRES))
    n, near, far = n[hit], near[hit], far[hit]
    u, v, du, dv = u[hit], v[hit], du[hit], dv[hit]
    on_end = enter_u[hit] > enter_v[hit]
    sign = np.where(on_end, -np.sign(du), -np.sign(dv))
    cosine, sine = cosine[hit] * sign, sine[hit] * sign
    base = boxes.base[n] - eye[2]
    entry = base + _roof_height(boxes, n, v + dv * near)
    exit_ = base + _roof_height(boxes, n, v + dv * far)
    ridge_at = -v / np.where(np.abs(dv) < 1e-6, np.float32(1e-6), dv)
    crosses = (ridge_at > near) & (ridge_at < far)
    ridge = base + boxes.eaves[n] + boxes.rise[n]
    over = np.where(crosses, ridge / np.where(crosses, ridge_at, 1), -np.inf)
    wall_top = camera.first_row_below(entry / near)
    roof_top = camera.first_row_below(np.maximum(over, exit_ / far))
    wall_bottom = camera.first_row_below((base - FOUNDATION_METRES) / near)
    column = fan.column[hit]
    side = Spans(
        np.full(len(n), Part.SIDE, np.int32),
        n,
        column,
        wall_top,
        wall_bottom,
        near,
        np.where(on_end, v + dv * near, u + du * near),
        np.where(on_end, cosine, -sine),
        np.where(on_end, sine, cosine),
    )
    # The slope that faces the camera is lit, or not, as the eaves are.
    roof = dataclasses.replace(
        side,
        part=np.full(len(n), Part.ROOF, np.int32),
        top=roof_top,
        bottom=wall_top,
    )
    return join_spans(side, roof)


def tree_spans(camera: Camera, trees: Trees, clumps: bool = False) -> Spans:
    """Crowns of trees; a camera below a crown does not see it.

    With `clumps` their rims are uneven by branches, not by single leaves.
    """
    eye = camera.eye
    centre = trees.centre - eye[:2]
    fan = fan_out(camera, centre, trees.radius)
    n = fan.thing
    east, north = centre[n].T
    along = east * fan.east + north * fan.north
    across = (east * fan.north - north * fan.east) / -trees.radius[n]
    # Leaves: the rim is ragged, by an amount of tree and column.
    if clumps:
        ragged = clumped(n * 131, fan.column) * np.float32(0.5)
    else:
        ragged = speckle(n * 131 + fan.column) * np.float32(0.22)
    rim = np.sqrt(np.maximum(1 - across**2, 0))
    base = trees.base[n] - eye[2]
    bottom, top = base + trees.bottom[n], base + trees.top[n]
    middle, half = (bottom + top) / 2, (top - bottom) / 2
    reach = half * rim * (1 - ragged)
    is_cone = trees.conifer[n]
    high = np.where(
        is_cone,
        bottom + 2 * half * (1 - np.abs(across)) * (1 - ragged / 2),
        middle + reach,
    )
    low = np.where(is_cone, bottom + ragged, middle - reach)
    seen = np.flatnonzero(along > trees.radius[n] + NEAREST_METRES)
    n, along, rim = n[seen], along[seen], rim[seen]
    return Spans(
        np.full(len(n), Part.CROWN, np.int32),
        n,
        fan.column[seen],
        camera.first_row_below(high[seen] / along),
        camera.first_row_below(low[seen] / along),
        along - trees.radius[n] * rim * np.float32(0.5),
        across[seen],
        -fan.east[seen],
        -fan.north[seen],
    )


def stem_spans(camera: Camera, trees: Trees, poles: Poles) -> Spans:
    """Trunks and poles, at least one ray wide so that none gets lost."""
    eye = camera.eye
    centre = np.concatenate([trees.centre, poles.centre]) - eye[:2]
    # A trunk reaches into its crown, else the crown would float.
    into = trees.bottom + (trees.top - trees.bottom) * np.float32(0.3)
    height = np.concatenate([into, poles.height])
    base = np.concatenate([trees.base, poles.base]) - eye[2]
    radius = np.concatenate([trees.trunk, poles.radius])
    distance = np.hypot(*centre.T)
    wide = np.maximum(radius, distance * np.float32(camera.step * 0.5))
    fan = fan_out(camera, centre, wide)
    seen = np.flatnonzero(distance[fan.thing] > NEAREST_METRES)
    n = fan.thing[seen]
    depth = distance[n]
    across = centre[n, 0] * fan.north[seen] - centre[n, 1] * fan.east[seen]
    return Spans(
        np.full(len(n), Part.STEM, np.int32),
        n,
        fan.column[seen],
        camera.first_row_below((base + height)[n] / depth),
        camera.first_row_below((base[n] - np.float32(0.5)) / depth),
        depth,
        np.clip(-across / wide[n], -1, 1),
        -fan.east[seen],
        -fan.north[seen],
    )


def join_spans(*groups: Spans) -> Spans:
    """All strips of several groups that cover at least one row."""
    spans = Spans.join(*groups)
    return spans.take(np.flatnonzero(spans.bottom > spans.top))


def paint_spans(camera: Camera, spans: Spans, depth: np.ndarray) -> np.ndarray:
    """Which strip each ray meets first.

    Args:
        camera: of the panorama.
        spans: the strips.
        depth: float32 [rows, columns], metres to the ground, inf for sky.

    Returns:
        int32 [rows, columns], index of the strip, -1 for ground or sky.
    """
    order = np.argsort(-spans.depth, kind="stable")
    top, count = spans.top[order], (spans.bottom - spans.top)[order]
    start = top * camera.columns + spans.column[order]
    past = np.cumsum(count)
    row = np.arange(past[-1] if len(past) else 0)
    row -= np.repeat(past - count, count)
    pixel = np.repeat(start, count) + row * camera.columns
    # NumPy keeps the last value given to an index: the nearest strip.
    first = np.full(camera.rows * camera.columns, -1, np.int32)
    first[pixel] = np.repeat(order, count)
    reach = np.append(spans.depth, np.float32(-np.inf))[first]
    first[reach > depth.ravel()] = -1
    return first.reshape(camera.rows, camera.columns)


def _turn(east, north, cosine, sine):
    """Coordinates along and across a box's axis."""
    return east * cosine + north * sine, north * cosine - east * sine


def _slab(position, speed, half):
    """Where a ray enters and leaves |position + t speed| <= half."""
    speed = np.where(np.abs(speed) < 1e-6, np.float32(1e-6), speed)
    one, other = (-half - position) / speed, (half - position) / speed
    return np.minimum(one, other), np.maximum(one, other)


def _roof_height(boxes: Boxes, n: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Height of a gabled roof above base at v metres from its ridge."""
    share = np.clip(1 - np.abs(v) / boxes.half[n, 1], 0, 1)
    return boxes.eaves[n] + boxes.rise[n] * share


def clumped(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Smooth noise in 0..1 at places of a plane that repeats, float32."""
    texture = _clumps()
    return texture[row % len(texture), column % len(texture)]


@functools.cache
def _clumps() -> np.ndarray:
    """Bumps of 32 rays and finer, float32 [256, 256], as many above 0.5."""
    noise = octaves(generator(0), 256, 256, [32, 12, 5, 2])
    rank = noise.ravel().argsort().argsort().reshape(noise.shape)
    return (rank / noise.size).astype(np.float32)


def speckle(value: np.ndarray) -> np.ndarray:
    """A fixed number in 0..1 for each integer, float32."""
    mixed = (value.astype(np.uint32) * np.uint32(2654435761)) >> np.uint32(8)
    mixed = (mixed * np.uint32(2246822519)) >> np.uint32(16)
    return mixed.astype(np.float32) / np.float32(65535)
