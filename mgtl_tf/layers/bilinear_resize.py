"""Bilinear resizing, with either convention of where a pixel lies."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer


@keras.saving.register_keras_serializable("mgtl_tf")
class BilinearResize(ConfiguredLayer):
    """Feature map sampled bilinearly at the cells of another grid.

    With s = h / height, row X of the output is taken at X s + (s - 1) / 2,
    where pixels are areas, or else at X s, where they are points and the last
    ones hardly count: TensorFlow 1's default, which Keras' own layers lack.
    Columns alike; beyond the edge its pixel is repeated. Nothing is averaged
    over the cells in between.

    Args:
        size: (height, width) of the output.
        half_pixel_centres: whether pixels are areas.

    Call arguments:
        features: [B, h, w, C].

    Output:
        [B, height, width, C].
    """

    def __init__(self, size, half_pixel_centres=True, **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(size)
        self.half_pixel_centres = half_pixel_centres

    def call(self, features):
        for axis, target in enumerate(self.size, 1):
            weights = _weights(
                features.shape[axis], target, self.half_pixel_centres
            )
            weights = ops.convert_to_tensor(weights, features.dtype)
            equation = ("bhwc,oh->bowc", "bhwc,ow->bhoc")[axis - 1]
            features = ops.einsum(equation, features, weights)
        return features

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, input_shape[3])


def _weights(source: int, target: int, half_pixel_centres: bool):
    """float32 [target, source]: what each output is made of."""
    step = source / target
    places = np.arange(target) * step
    if half_pixel_centres:
        places += (step - 1) / 2
    places = places.clip(0, source - 1)[:, None]
    return np.maximum(0, 1 - np.abs(places - np.arange(source))).astype("f4")
