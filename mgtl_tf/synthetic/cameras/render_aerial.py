"""The view from above: orthographic, north up, the place at the centre."""

from __future__ import annotations

import cv2
import numpy as np

from mgtl_tf.synthetic.cameras.light import (
    Appearance,
    expose,
    lit,
    shadows,
    slope_light,
)
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.canvas import SHIFT, Canvas, fixed_point
from mgtl_tf.synthetic.town.things import Boxes, Material, corners

# Houses up to this far outside the picture still throw shadows into it.
SHADOW_MARGIN_METRES = 22.0
SHADOW_STEP_METRES = 0.5


def render_aerial(
    canvas: Canvas,
    centre: np.ndarray,
    settings: WorldSettings,
    day: Appearance,
    cars: Boxes,
    rng: np.random.Generator,
) -> np.ndarray:
    """One aerial image around `centre` (east, north), uint8 [S, S, 3] RGB."""
    size, extent = settings.aerial_size, settings.aerial_metres
    # One sample a pixel where pixels are finer than the map.
    coarse = extent / size > settings.metres_per_pixel
    samples = settings.supersampling if coarse else 1
    step = extent / (size * samples)
    colour = crop(canvas, canvas.surface, centre, extent, step)
    material = crop(canvas, canvas.surface_material, centre, extent, step)
    height = crop(canvas, canvas.height, centre, extent, step)
    park(colour, material, height, cars, centre, extent)
    sunshine = slope_light(height, step, day.sun)
    sunshine *= 1 - _shade(canvas, height, centre, extent, day.sun)
    light = lit(colour, material, sunshine, day)
    if samples > 1:
        light = cv2.resize(light, (size, size), interpolation=cv2.INTER_AREA)
    return expose(light, day, rng)


def crop(
    canvas: Canvas,
    layer: np.ndarray,
    centre: np.ndarray,
    extent: float,
    step: float,
) -> np.ndarray:
    """A square of a canvas' layer around a point, `step` metres a cell.

    `extent` is metres a side; materials (uint8 [H, W]) are not mixed.
    """
    count = round(extent / step)
    scale = step / canvas.step
    column = centre[0] / canvas.step - 0.5 - (count - 1) / 2 * scale
    row = (canvas.side - centre[1]) / canvas.step - 0.5
    row -= (count - 1) / 2 * scale
    is_material = layer.ndim == 2 and layer.dtype == np.uint8
    how = cv2.INTER_NEAREST if is_material else cv2.INTER_LINEAR
    return cv2.warpAffine(
        layer,
        np.array([[scale, 0, column], [0, scale, row]]),
        (count, count),
        flags=how | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _shade(
    canvas: Canvas,
    height: np.ndarray,
    centre: np.ndarray,
    extent: float,
    sun: np.ndarray,
) -> np.ndarray:
    """Shadows on the crop, computed coarser, float32 of `height`'s shape."""
    wide = extent + 2 * SHADOW_MARGIN_METRES
    cells = round(wide / SHADOW_STEP_METRES)
    step = wide / cells
    casters = crop(canvas, canvas.height, centre, wide, step)
    margin = round(SHADOW_MARGIN_METRES / step)
    inner = slice(margin, cells - margin)
    # The picture's own heights hold the cars, which the map lacks.
    inside = (cells - 2 * margin,) * 2
    casters[inner, inner] = cv2.resize(
        height, inside, interpolation=cv2.INTER_AREA
    )
    dark = shadows(casters, casters, step, sun)[inner, inner]
    return cv2.resize(dark, height.shape[::-1], interpolation=cv2.INTER_LINEAR)


def park(
    colour: np.ndarray,
    material: np.ndarray,
    height: np.ndarray,
    cars: Boxes,
    centre: np.ndarray,
    extent: float,
) -> None:
    """Draws the cars that no roof or tree hides, in place."""
    step = extent / len(height)
    for index in range(len(cars)):
        if _height_at(height, cars.centre[index] - centre, extent, step) > 2:
            continue
        outline = corners(
            cars.centre[index], cars.half[index], float(cars.angle[index])
        )
        column = (outline[:, 0] - centre[0] + extent / 2) / step - 0.5
        row = (extent / 2 - outline[:, 1] + centre[1]) / step - 0.5
        points = fixed_point(column, row)
        paint = [float(value) for value in cars.roof[index]]
        for layer, value in (
            (colour, paint),
            (material, int(Material.CAR)),
            (height, float(cars.eaves[index])),
        ):
            cv2.fillConvexPoly(layer, points, value, shift=SHIFT)


def _height_at(
    height: np.ndarray, offset: np.ndarray, extent: float, step: float
) -> float:
    """The crop's height at an offset from its centre; 0 outside."""
    column = int((offset[0] + extent / 2) / step)
    row = int((extent / 2 - offset[1]) / step)
    count = height.shape[0]
    if not (0 <= row < count and 0 <= column < count):
        return 0.0
    return float(height[row, column])
