"""Upright boxes, with a flat or a gabled top: houses, walls, cars."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np


class Kind(enum.IntEnum):
    """What a box is, which decides how its sides look."""

    BUILDING = 0
    WALL = 1
    HEDGE = 2
    FENCE = 3
    CAR = 4


@dataclasses.dataclass(frozen=True)
class Boxes:
    """N boxes as arrays.

    Attributes:
        centre: float32 [N, 2], east and north, metres.
        half: float32 [N, 2], half length along the ridge, half width.
        angle: float32 [N], of the ridge, radians from east towards north.
        base: float32 [N], height of the ground there.
        eaves: float32 [N], of the walls' top above base.
        rise: float32 [N], of the ridge above the eaves, 0 for a flat roof.
        facade: float32 [N, 3], RGB.
        roof: float32 [N, 3], RGB.
        kind: int32 [N], Kind values.
        window: float32 [N, 3], metres between windows, metres between
            floors, and the share of the wall that is glass across.
    """

    centre: np.ndarray
    half: np.ndarray
    angle: np.ndarray
    base: np.ndarray
    eaves: np.ndarray
    rise: np.ndarray
    facade: np.ndarray
    roof: np.ndarray
    kind: np.ndarray
    window: np.ndarray

    def __len__(self) -> int:
        """N."""
        return len(self.centre)

    def take(self, rows: np.ndarray) -> Boxes:
        """Some of the boxes, by index or mask."""
        return Boxes(
            *(
                getattr(self, field.name)[rows]
                for field in dataclasses.fields(self)
            )
        )


_SHAPES = {
    "centre": (2,),
    "half": (2,),
    "facade": (3,),
    "roof": (3,),
    "window": (3,),
}


def stack_boxes(rows: list[dict]) -> Boxes:
    """Boxes from one dict of values a box; fields left out are 0."""
    columns = {}
    for field in dataclasses.fields(Boxes):
        shape = (len(rows), *_SHAPES.get(field.name, ()))
        dtype = np.int32 if field.name == "kind" else np.float32
        column = np.zeros(shape, dtype)
        for index, row in enumerate(rows):
            column[index] = row.get(field.name, 0)
        columns[field.name] = column
    return Boxes(**columns)


def join_boxes(*groups: Boxes) -> Boxes:
    """All boxes of several groups."""
    return Boxes(
        *(
            np.concatenate([getattr(group, field.name) for group in groups])
            for field in dataclasses.fields(Boxes)
        )
    )


def corners(
    centre: np.ndarray, half: np.ndarray, angle: float, grow: float = 0.0
) -> np.ndarray:
    """The four corners [4, 2] of one box's footprint."""
    axis = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-axis[1], axis[0]])
    signs = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    reach = signs * (np.asarray(half) + grow)
    return np.asarray(centre) + reach[:, :1] * axis + reach[:, 1:] * across
