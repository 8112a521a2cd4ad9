"""Edges of an image by Canny's rule, as OpenCV has it."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer

_LUMA = (0.299, 0.587, 0.114)
# tan(22.5 degrees) in 1/32768, OpenCV's; slopes are compared in whole numbers.
_SHIFT = 2**15
_TANGENT = 13573


@keras.saving.register_keras_serializable("mgtl_tf")
class CannyEdges(ConfiguredLayer):
    """1 where an image has an edge, else 0 (Canny 1986, as of OpenCV).

    Of whole grey levels: 3 x 3 Sobel differences, their absolute values
    added, those kept that are largest along the difference, which is rounded
    to one of four directions. An edge is what exceeds `high`, and what exceeds
    `low` and hangs together with it; OpenCV follows such chains to their end,
    this layer over `reach` pixels. Nothing is differentiated.

    Args:
        low, high: thresholds of the sum of both differences.
        reach: pixels.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].

    Output:
        [B, H, W, 1], 0 or 1.
    """

    def __init__(self, low=50, high=100, reach=32, **kwargs):
        # Grey levels are compared: bfloat16 would round them.
        super().__init__(autocast=False, **kwargs)
        self.low = low
        self.high = high
        self.reach = reach

    def call(self, images):
        images = ops.stop_gradient(ops.cast(images, "float32"))
        luma = ops.convert_to_tensor(_LUMA, "float32")
        grey = ops.cast(ops.round(ops.sum(images * luma, axis=-1)), "int32")
        across, down = _differences(grey)
        strength = ops.abs(across) + ops.abs(down)
        ridge = _largest_along(across, down, strength)
        weak = ops.cast(ridge & (strength > self.low), "float32")[..., None]
        strong = ops.cast(ridge & (strength > self.high), "float32")[..., None]
        for _ in range(self.reach):
            strong = weak * ops.max_pool(strong, 3, 1, "same")
        return ops.cast(strong, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:3], 1)


def _shifted(padded, down, right):
    """[B, H, W] of [B, H + 2, W + 2], moved by -1, 0 or 1."""
    height, width = padded.shape[1] - 2, padded.shape[2] - 2
    rows = slice(1 + down, 1 + down + height)
    return padded[:, rows, 1 + right : 1 + right + width]


def _differences(grey):
    """Sobel's, to the right and down; the border's pixels are repeated."""
    around = ops.pad(grey, [(0, 0), (1, 1), (1, 1)], mode="symmetric")

    def smoothed(down, right):
        side = (1, 0) if right else (0, 1)
        found = 2 * _shifted(around, down, right)
        for sign in (-1, 1):
            found = found + _shifted(
                around, down + sign * side[0], right + sign * side[1]
            )
        return found

    across = smoothed(0, 1) - smoothed(0, -1)
    return across, smoothed(1, 0) - smoothed(-1, 0)


def _largest_along(across, down, strength):
    """Where no neighbour along the difference is stronger, bool [B, H, W].

    Of two equals the one further up or to the left.
    """
    around = ops.pad(strength, [(0, 0), (1, 1), (1, 1)])
    at = {
        (row, column): _shifted(around, row, column)
        for row in (-1, 0, 1)
        for column in (-1, 0, 1)
    }
    wide, high = ops.abs(across), ops.abs(down) * _SHIFT
    level = high < wide * _TANGENT
    upright = high > wide * (_TANGENT + 2 * _SHIFT)
    falling = (across >= 0) == (down >= 0)
    sideways = (strength > at[0, -1]) & (strength >= at[0, 1])
    vertical = (strength > at[-1, 0]) & (strength >= at[1, 0])
    to_right = (strength > at[-1, -1]) & (strength > at[1, 1])
    to_left = (strength > at[-1, 1]) & (strength > at[1, -1])
    slanted = ops.where(falling, to_right, to_left)
    return ops.where(level, sideways, ops.where(upright, vertical, slanted))
