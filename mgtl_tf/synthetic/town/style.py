"""How the maps of a world differ in kind: woods, buildings, colours.

The standard style keeps all maps alike, so that colour does not distinguish
the places of one gallery. Training for real images wants the opposite: as
many kinds of landscape as possible (domain randomization).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from mgtl_tf.synthetic.town.canvas import Canvas
from mgtl_tf.synthetic.town.terrain import generator
from mgtl_tf.synthetic.town.things import Boxes, Material, Trees

# Last number of the address of a map's style, which no other use shares.
_STYLE = 9


@dataclasses.dataclass(frozen=True)
class MapStyle:
    """One map's kind; the defaults are the standard style."""

    street_spacing: float = 1.0  # factor on the distance between junctions
    built: float = 1.0  # factor on the chance that a lot is built on
    tree_area: float = 55.0  # square metres for each tree that may grow
    tree_chance: float = 1.0  # factor on the chance that it does
    conifers: float = 0.2  # share of the trees
    tree_size: float = 1.0  # factor on height and crown
    undergrowth: float = 0.0  # 1 brings the crowns down to the ground
    relief: float = 1.0  # factor on the heights of the terrain
    leaf_contrast: float = 0.28  # of light and dark in a crown seen from a road
    leaf_clumps: bool = False  # leaves in clumps of all sizes, not grain alone
    roughness: float = 1.0  # factor on the mottling of the ground
    tints: np.ndarray = dataclasses.field(
        default_factory=lambda: np.ones((len(Material), 3), np.float32)
    )  # float32 [materials, 3], factors on the colours

    def tint_boxes(self, boxes: Boxes) -> Boxes:
        """The same boxes with roofs and facades in the map's colours."""
        return dataclasses.replace(
            boxes,
            roof=_tinted(boxes.roof, self.tints[Material.ROOF]),
            facade=_tinted(boxes.facade, self.tints[Material.WALL]),
        )

    def tint_trees(self, trees: Trees) -> Trees:
        """The same trees with leaves in the map's colours."""
        tint = np.where(
            trees.conifer[:, None],
            self.tints[Material.CONIFER],
            self.tints[Material.LEAF],
        )
        return dataclasses.replace(trees, colour=_tinted(trees.colour, tint))

    def tint_ground(self, canvas: Canvas) -> None:
        """Gives the ground the map's colours, in place."""
        if (self.tints == 1).all():
            return
        tints = self.tints[canvas.ground_material]
        canvas.ground[:] = np.clip(canvas.ground * tints, 0, 255)


def draw_style(name: str, seed: int, index: int) -> MapStyle:
    """The style of one map; the same on every call.

    Args:
        name: as `WorldSettings.style`. `varied` draws every property;
            `held_out` draws the same kinds of landscape in colours and
            textures that `varied` never has, as a stand-in for reality that
            is not trained on.
        seed: of the world.
        index: of the map.
    """
    if name == "standard":
        return MapStyle()
    rng = generator(seed, index, _STYLE)
    area, chance = ((55, 0.3), (55, 1.0), (14, 0.7), (9, 1.5), (7, 3.0))[
        int(rng.choice(5, p=[0.15, 0.2, 0.2, 0.25, 0.2]))
    ]
    wooded = area < 20
    is_held_out = name == "held_out"
    return MapStyle(
        street_spacing=float(rng.choice([1.0, 1.5, 2.2, 3.0])),
        built=float(rng.choice([0.1, 0.4, 0.7, 1.0])),
        tree_area=float(area),
        tree_chance=chance,
        conifers=float(rng.choice([0.0, 0.1, 0.3, 0.7])),
        tree_size=float(rng.uniform(0.8, 1.9 if wooded else 1.4)),
        undergrowth=float(rng.uniform(0.3, 1.0) if wooded else rng.random()),
        relief=float(rng.uniform(0.5, 2.5)),
        leaf_contrast=float(rng.uniform(0.3, 1.0) + 0.4 * is_held_out),
        leaf_clumps=True,
        roughness=float(rng.uniform(0.6, 2.2) + 1.2 * is_held_out),
        tints=_held_out_tints(rng) if is_held_out else _varied_tints(rng),
    )


def _varied_tints(rng: np.random.Generator) -> np.ndarray:
    """Lighter, darker and of a little other hue, each material by itself."""
    count = len(Material)
    level = rng.normal(0, 0.2, (count, 1))
    hue = rng.normal(0, 0.045, (count, 3))
    return np.exp(level + hue).astype(np.float32)


def _held_out_tints(rng: np.random.Generator) -> np.ndarray:
    """One cast on all: bluish, violet or brown, and paler or deeper."""
    casts = np.array([[0.85, 0.97, 1.2], [1.1, 0.87, 1.1], [1.2, 0.97, 0.8]])
    cast = casts[int(rng.integers(3))] * rng.choice([0.75, 1.25])
    own = np.exp(rng.normal(0, 0.12, (len(Material), 1)))
    return (cast * own).astype(np.float32)


def _tinted(colour: np.ndarray, tint: np.ndarray) -> np.ndarray:
    return np.clip(colour * tint, 0, 255).astype(np.float32)
