"""A map of classes as the share of each class in the cells of a grid."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer


@keras.saving.register_keras_serializable("mgtl_tf")
class LabelLayout(ConfiguredLayer):
    """Label map to the layout that a panorama has: classes by area.

    Zhai et al. (2017) compare with it what they predict from above.

    Args:
        size: (rows, columns) of the grid, at most those of the map.
        classes: K; labels are 0 to K - 1.

    Call arguments:
        labels: [B, H, W, 1], whole numbers of any dtype.

    Output:
        [B, rows, columns, K], float32; the classes of a cell sum to 1.
    """

    def __init__(self, size=(8, 40), classes=4, **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(size)
        self.classes = classes

    def call(self, labels):
        labels = ops.cast(labels[..., 0], "int32")
        shares = ops.one_hot(labels, self.classes, dtype="float32")
        rows, columns = (
            ops.convert_to_tensor(_areas(labels.shape[axis + 1], count))
            for axis, count in enumerate(self.size)
        )
        shares = ops.einsum("oh,bhwk->bowk", rows, shares)
        return ops.einsum("ow,bhwk->bhok", columns, shares)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, self.classes)


def _areas(source: int, target: int) -> np.ndarray:
    """float32 [target, source]: the part of a cell that each pixel covers."""
    edges = np.arange(target + 1) * source / target
    pixels = np.arange(source)
    above = np.minimum(edges[1:, None], pixels + 1)
    below = np.maximum(edges[:-1, None], pixels)
    return (np.maximum(above - below, 0) * target / source).astype("f4")
