"""What each pixel of an aerial image shows, in CVUSA's classes."""

from __future__ import annotations

import numpy as np

from mgtl_tf.synthetic.cameras.label_ground import BUILDING, ROAD, TREE
from mgtl_tf.synthetic.cameras.render_aerial import crop, park
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.canvas import Canvas
from mgtl_tf.synthetic.town.things import FIELDS, Boxes, Material

_BUILT = (Material.ROOF, Material.WALL, Material.CAR)
_GROWS = (
    Material.GRASS,
    *FIELDS,
    Material.LEAF,
    Material.CONIFER,
    Material.HEDGE,
)


def label_aerial(
    canvas: Canvas, centre: np.ndarray, settings: WorldSettings, cars: Boxes
) -> np.ndarray:
    """Labels of the image that `render_aerial` draws, uint8 [S, S].

    As of `label_ground`, whose classes they are; none is sky. That of the
    map's cell at a pixel's centre.
    """
    size, extent = settings.aerial_size, settings.aerial_metres
    step = extent / size
    material = crop(canvas, canvas.surface_material, centre, extent, step)
    height = crop(canvas, canvas.height, centre, extent, step)
    # It paints three layers; of these colours nothing is needed.
    park(np.zeros_like(height), material, height, cars, centre, extent)
    classes = np.full(len(Material), ROAD, np.uint8)
    classes[list(_BUILT)] = BUILDING
    classes[list(_GROWS)] = TREE
    return classes[material]
