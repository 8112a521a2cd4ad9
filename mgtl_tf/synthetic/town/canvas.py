"""The rasters of a map, brushes in metres, and which ground is taken."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from mgtl_tf.synthetic.town.things import Material

SHIFT = 4
"""Fractional bits of cv2's fixed-point coordinates."""

STEP_METRES = 0.5


@dataclasses.dataclass
class Canvas:
    """Bare ground, and the surface seen from above; row 0 is north."""

    side: float  # metres a side
    step: float  # metres a cell
    ground: np.ndarray  # uint8 [H, W, 3], RGB without objects
    ground_material: np.ndarray  # uint8 [H, W]
    surface: np.ndarray  # uint8 [H, W, 3], RGB of the topmost thing
    surface_material: np.ndarray  # uint8 [H, W]
    height: np.ndarray  # float32 [H, W], metres of the topmost thing

    def pixels(self, metres: np.ndarray) -> np.ndarray:
        """Points [N, 2] (east, north) as cv2's fixed-point (column, row)."""
        metres = np.asarray(metres, np.float64)
        column = metres[:, 0] / self.step - 0.5
        row = (self.side - metres[:, 1]) / self.step - 0.5
        return fixed_point(column, row)

    def polygon(
        self, metres: np.ndarray, colour: np.ndarray, material: Material
    ) -> None:
        """Fills a polygon [N, 2] of the ground."""
        points = [self.pixels(metres)]
        cv2.fillPoly(self.ground, points, as_colour(colour), shift=SHIFT)
        cv2.fillPoly(self.ground_material, points, int(material), shift=SHIFT)

    def line(
        self,
        metres: np.ndarray,
        width: float,
        colour: np.ndarray,
        material: Material,
    ) -> None:
        """Draws a polyline [N, 2] of a width on the ground."""
        thickness = max(1, round(width / self.step))
        points = [self.pixels(metres)]
        for layer, value in (
            (self.ground, as_colour(colour)),
            (self.ground_material, int(material)),
        ):
            cv2.polylines(
                layer, points, False, value, thickness, cv2.LINE_8, SHIFT
            )

    def window(
        self, centre: np.ndarray, radius: float
    ) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
        """The cells around a point.

        Returns:
            slices of the rasters, and the cells' metres east (float32
            [1, W]) and north ([H, 1]) of the point.
        """
        count = self.height.shape[0]
        reach = radius / self.step
        column = centre[0] / self.step - 0.5
        row = (self.side - centre[1]) / self.step - 0.5
        left, right = _span(column, reach, count)
        top, bottom = _span(row, reach, count)
        east = (np.arange(left, right) - column) * self.step
        north = (row - np.arange(top, bottom)) * self.step
        slices = (slice(top, bottom), slice(left, right))
        return (
            slices,
            east.astype(np.float32)[None, :],
            north.astype(np.float32)[:, None],
        )

    def raise_surface(
        self,
        slices: tuple[slice, slice],
        height: np.ndarray,
        colour: np.ndarray,
        material: Material,
    ) -> None:
        """Puts an object where it is higher than what stands in a window.

        Args:
            slices: the window.
            height: float32 [h, w], metres; 0 outside the object.
            colour: [h, w, 3], RGB.
            material: of the object.
        """
        higher = height > self.height[slices]
        self.height[slices][higher] = height[higher]
        self.surface_material[slices][higher] = int(material)
        self.surface[slices][higher] = np.clip(colour[higher], 0, 255)

    def lift_ground(self) -> None:
        """Begins the surface as a copy of the finished ground."""
        np.copyto(self.surface, self.ground)
        np.copyto(self.surface_material, self.ground_material)


def blank_canvas(side: float, step: float) -> Canvas:
    """An empty map of a side, in metres."""
    count = int(round(side / step))
    return Canvas(
        side,
        step,
        np.zeros((count, count, 3), np.uint8),
        np.zeros((count, count), np.uint8),
        np.zeros((count, count, 3), np.uint8),
        np.zeros((count, count), np.uint8),
        np.zeros((count, count), np.float32),
    )


def fixed_point(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Coordinates [N] as cv2 takes them with `SHIFT`, int32 [N, 2]."""
    fixed = np.stack([column, row], 1) * (1 << SHIFT)
    return np.round(fixed).astype(np.int32)


def as_colour(colour: np.ndarray) -> tuple[float, ...]:
    """A colour as cv2 wants it."""
    return tuple(float(value) for value in np.clip(colour, 0, 255))


def _span(position: float, reach: float, count: int) -> tuple[int, int]:
    """First and one-past-last cell within reach, clipped to the raster."""
    first = min(max(int(np.floor(position - reach)), 0), count)
    last = min(max(int(np.ceil(position + reach)) + 1, first), count)
    return first, last


class Occupancy:
    """A bitmap of the ground that is taken, of a map of `side` metres."""

    def __init__(self, side: float) -> None:
        count = int(np.ceil(side / STEP_METRES))
        self.side = side
        self.taken = np.zeros((count, count), np.uint8)

    def take_line(self, metres: np.ndarray, width: float) -> None:
        """Takes a polyline [N, 2] of a width."""
        cv2.polylines(
            self.taken,
            [self._pixels(metres)],
            False,
            1,
            max(1, round(width / STEP_METRES)),
        )

    def take_polygon(self, metres: np.ndarray) -> None:
        """Takes a polygon [N, 2]."""
        cv2.fillPoly(self.taken, [self._pixels(metres)], 1)

    def is_free(self, metres: np.ndarray) -> bool:
        """Whether a convex polygon [N, 2] lies on the map and free."""
        points = self._pixels(metres)
        low, high = points.min(0), points.max(0) + 1
        if np.any(low < 0) or np.any(high > self.taken.shape[0]):
            return False
        window = self.taken[low[1] : high[1], low[0] : high[0]]
        shape = np.zeros_like(window)
        cv2.fillConvexPoly(shape, points - low, 1)
        return not np.any(window & shape)

    def free_points(self, metres: np.ndarray) -> np.ndarray:
        """Whether each point [N, 2] lies on the map and free, bool [N]."""
        column, row = self._pixels(metres).T
        count = self.taken.shape[0]
        inside = (row >= 0) & (row < count) & (column >= 0) & (column < count)
        free = np.zeros(len(metres), bool)
        free[inside] = self.taken[row[inside], column[inside]] == 0
        return free

    def _pixels(self, metres: np.ndarray) -> np.ndarray:
        """Points [N, 2] as (column, row), int32."""
        metres = np.asarray(metres, np.float64).reshape(-1, 2)
        column = np.floor(metres[:, 0] / STEP_METRES)
        row = np.floor((self.side - metres[:, 1]) / STEP_METRES)
        return np.stack([column, row], 1).astype(np.int32)
