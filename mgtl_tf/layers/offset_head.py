"""Where in its aerial image a panorama stands, from both descriptors."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer

_TINY = 1e-12


@keras.saving.register_keras_serializable("mgtl_tf")
class OffsetHead(ConfiguredLayer):
    """VIGOR's regression of offsets: FC, ReLU, FC on both descriptors.

    VIGOR's takes descriptors before they are normalised. Galleries hold them
    as they are compared, so here each is scaled to a root mean square of 1.
    The last map starts at zero: at first every panorama stands in the centre.

    Args:
        units: width of the first map.

    Attributes:
        expected_error: metres by which a predicted point was wrong in the
            right aerial image, on average over a validation split, as a share
            of the image's side; 0: not measured. No gradient moves it.

    Call arguments:
        ground: descriptors of panoramas, [B, D].
        satellite: of the aerial images that they stand in, [B, D'].

    Output:
        [B, 2]: d0, d1 in half sides of the aerial image: the panorama stands
        d0 below its centre and d1 to the left of it (`records.Tiles`).

    Reference: Zhu, Yang, Chen, "VIGOR: Cross-View Image Geo-localization
    beyond One-to-one Retrieval", CVPR 2021, section 4.3.
    """

    def __init__(self, units=512, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        common = {"dtype": self.dtype_policy}
        self.hidden = keras.layers.Dense(
            units, activation="relu", name="hidden", **common
        )
        self.point = keras.layers.Dense(
            2, kernel_initializer="zeros", name="point", **common
        )

    def build(self, ground_shape, satellite_shape=None):
        both = ground_shape[-1] + (satellite_shape or ground_shape)[-1]
        self.hidden.build((ground_shape[0], both))
        self.point.build((ground_shape[0], self.units))
        self.expected_error = self.add_weight(
            name="expected_error",
            shape=(),
            initializer="zeros",
            trainable=False,
            dtype="float32",
        )

    def call(self, ground, satellite):
        both = [_scaled(ground), _scaled(satellite)]
        both = ops.cast(ops.concatenate(both, axis=-1), self.compute_dtype)
        return self.point(self.hidden(both))

    def compute_output_shape(self, ground_shape, satellite_shape=None):
        return (ground_shape[0], 2)


def _scaled(descriptors):
    """[B, D] with a root mean square of 1, float32."""
    numbers = ops.cast(descriptors, "float32")
    square = ops.mean(ops.square(numbers), axis=-1, keepdims=True)
    return numbers / ops.sqrt(ops.maximum(square, _TINY))
