"""Materials and colours of a map, and what stands on it, as arrays.

Places are east and north of the map's corner, lengths metres, colours RGB,
0..255. All maps of a world share one family of colours: otherwise colour alone
would distinguish one gallery's places from another's.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Self

import numpy as np


class Material(enum.IntEnum):
    """What a raster cell is made of; views tint each on its own."""

    GRASS = 0
    FIELD_A = 1
    FIELD_B = 2
    FIELD_C = 3
    WATER = 4
    ASPHALT = 5
    PAVING = 6
    GRAVEL = 7
    MARKING = 8
    ROOF = 9
    LEAF = 10
    CONIFER = 11
    WALL = 12
    HEDGE = 13
    CAR = 14


FIELDS = (Material.FIELD_A, Material.FIELD_B, Material.FIELD_C)
GROUND = {
    Material.GRASS: (94, 116, 62),
    Material.FIELD_A: (142, 132, 84),
    Material.FIELD_B: (112, 122, 70),
    Material.FIELD_C: (128, 104, 80),
    Material.WATER: (58, 82, 98),
    Material.ASPHALT: (92, 92, 94),
    Material.PAVING: (156, 150, 142),
    Material.GRAVEL: (148, 134, 112),
    Material.MARKING: (226, 226, 218),
}
ROOFS = (
    (148, 84, 54),
    (130, 80, 60),
    (108, 86, 72),
    (98, 100, 106),
    (76, 74, 76),
    (160, 158, 150),
    (190, 186, 178),
    (112, 124, 116),
)
FACADES = (
    (222, 212, 190),
    (232, 228, 220),
    (204, 190, 164),
    (190, 190, 188),
    (160, 98, 78),
    (216, 198, 146),
    (176, 184, 190),
    (140, 112, 92),
    (202, 160, 128),
)
LEAVES = ((74, 98, 48), (88, 108, 54), (66, 88, 46), (104, 110, 56))
CONIFERS = ((52, 76, 52), (58, 80, 62))
HEDGES = ((60, 84, 44), (74, 92, 50))
BARRIERS = ((158, 106, 86), (186, 180, 170), (126, 100, 76), (214, 210, 200))
CARS = (
    (224, 224, 224),
    (40, 42, 46),
    (140, 144, 150),
    (150, 36, 34),
    (40, 62, 112),
    (92, 96, 92),
    (196, 190, 170),
)


def pick(
    rng: np.random.Generator, colours: tuple, count: int, spread: float = 0.1
) -> np.ndarray:
    """Colours of one family: mostly lighter or darker, hardly another hue.

    Independent noise on each channel gives purple streets and pink roofs,
    so the channels move together and only a fifth as much on their own.

    Returns:
        float32 [count, 3].
    """
    base = np.asarray(colours, np.float32)[
        rng.integers(len(colours), size=count)
    ]
    level = rng.normal(0.0, spread, (count, 1))
    hue = rng.normal(0.0, spread / 5, (count, 3))
    return np.clip(base * (1 + level + hue), 8, 250).astype(np.float32)


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
