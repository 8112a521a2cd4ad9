"""A map of classes as the share of each in the cells of a grid."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer


@keras.saving.register_keras_serializable("mgtl_tf")
class LabelLayout(ConfiguredLayer):
    """Coloured label map to the layout that a panorama has: classes by area.

    Red, green and blue are three classes; what they leave is the first one.
    Zhai et al. (2017) compare with it what they predict from above.

    Args:
        size: (rows, columns) of the grid, at most those of the map.

    Call arguments:
        colours: [B, H, W, 3], 0..255; where pixels are mixed, so are classes.

    Output:
        [B, rows, columns, 4]; the classes of a cell sum to 1.
    """

    def __init__(self, size=(8, 40), **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(size)

    def call(self, colours):
        shares = ops.cast(colours, "float32") / 255
        rows, columns = (
            ops.convert_to_tensor(_areas(colours.shape[axis + 1], count))
            for axis, count in enumerate(self.size)
        )
        # Matrices last: one that comes before a batch of free size TFLite
        # repeats for a negative number of images, and refuses the result.
        shares = ops.einsum("bhwk,oh->bowk", shares, rows)
        shares = ops.einsum("bhwk,ow->bhok", shares, columns)
        rest = 1 - ops.sum(shares, axis=-1, keepdims=True)
        layout = ops.concatenate([ops.maximum(rest, 0), shares], axis=-1)
        return ops.cast(layout, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, 4)


def _areas(source: int, target: int) -> np.ndarray:
    """float32 [target, source]: the part of a cell that each pixel covers."""
    edges = np.arange(target + 1) * source / target
    pixels = np.arange(source)
    above = np.minimum(edges[1:, None], pixels + 1)
    below = np.maximum(edges[:-1, None], pixels)
    return (np.maximum(above - below, 0) * target / source).astype("f4")
