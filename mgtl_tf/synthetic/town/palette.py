"""Materials and the one family of colours that every map uses.

All maps of a world share it: otherwise colour alone would distinguish one
gallery's places from another's. RGB throughout, 0..255.
"""

from __future__ import annotations

import enum

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
