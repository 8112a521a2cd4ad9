"""What stands on a map, as arrays: boxes (houses, walls, cars), trees, poles.

Places are east and north of the map's corner, lengths metres, colours RGB.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Self

import numpy as np


@dataclasses.dataclass(frozen=True)
class Columns:
    """Arrays of one length, a field each."""

    def take(self, rows: np.ndarray) -> Self:
        """Some of the rows, by index or mask."""
        names = (field.name for field in dataclasses.fields(self))
        return type(self)(*(getattr(self, name)[rows] for name in names))

    @classmethod
    def join(cls, *groups: Self) -> Self:
        """All rows of several groups."""
        names = (field.name for field in dataclasses.fields(cls))
        return cls(
            *(np.concatenate([getattr(g, n) for g in groups]) for n in names)
        )


class Kind(enum.IntEnum):
    """What a box is, which decides how its sides look."""

    BUILDING = 0
    WALL = 1
    HEDGE = 2
    FENCE = 3
    CAR = 4


@dataclasses.dataclass(frozen=True)
class Boxes(Columns):
    """N upright boxes, with a flat or a gabled top."""

    centre: np.ndarray  # float32 [N, 2]
    half: np.ndarray  # float32 [N, 2], half length along the ridge, half width
    angle: np.ndarray  # float32 [N], of the ridge, from east towards north
    base: np.ndarray  # float32 [N], height of the ground there
    eaves: np.ndarray  # float32 [N], of the walls' top above base
    rise: np.ndarray  # float32 [N], of the ridge above the eaves, 0 for flat
    facade: np.ndarray  # float32 [N, 3]
    roof: np.ndarray  # float32 [N, 3]
    kind: np.ndarray  # int32 [N], Kind values
    # float32 [N, 3]: from window to window, from floor to floor, and the
    # share of the wall that is glass across.
    window: np.ndarray

    def __len__(self) -> int:
        return len(self.centre)


@dataclasses.dataclass(frozen=True)
class Trees(Columns):
    """N trees; a crown is an ellipsoid, or a cone on a conifer."""

    centre: np.ndarray  # float32 [N, 2]
    base: np.ndarray  # float32 [N], height of the ground there
    radius: np.ndarray  # float32 [N], of the crown at its widest
    bottom: np.ndarray  # float32 [N], the crown's underside above base
    top: np.ndarray  # float32 [N], the tree's top above base
    trunk: np.ndarray  # float32 [N], the trunk's radius
    conifer: np.ndarray  # bool [N]
    colour: np.ndarray  # float32 [N, 3], of the leaves


@dataclasses.dataclass(frozen=True)
class Poles(Columns):
    """N thin upright cylinders."""

    centre: np.ndarray  # float32 [N, 2]
    base: np.ndarray  # float32 [N], height of the ground there
    height: np.ndarray  # float32 [N], above base
    radius: np.ndarray  # float32 [N]
    colour: np.ndarray  # float32 [N, 3]


_WIDTHS = {"centre": 2, "half": 2, "facade": 3, "roof": 3, "window": 3}


def stack_boxes(rows: list[dict]) -> Boxes:
    """Boxes from one dict of values a box; fields left out are 0."""
    columns = {}
    for field in dataclasses.fields(Boxes):
        width = _WIDTHS.get(field.name)
        shape = (len(rows), width) if width else (len(rows),)
        dtype = np.int32 if field.name == "kind" else np.float32
        column = columns[field.name] = np.zeros(shape, dtype)
        for index, row in enumerate(rows):
            column[index] = row.get(field.name, 0)
    return Boxes(**columns)


def corners(
    centre: np.ndarray, half: np.ndarray, angle: float, grow: float = 0.0
) -> np.ndarray:
    """The four corners [4, 2] of one box's footprint."""
    axis = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-axis[1], axis[0]])
    signs = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    reach = signs * (np.asarray(half) + grow)
    return np.asarray(centre) + reach[:, :1] * axis + reach[:, 1:] * across
