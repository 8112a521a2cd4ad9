"""DSM: dynamic similarity matching of azimuth columns (Shi et al. 2020)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.circular_padding import CircularPadding
from mgtl_tf.layers.vgg16 import NORMALIZATION_MOMENTUM
from mgtl_tf.models.vectors import flat_vectors, unit_vectors
from mgtl_tf.models.vgg16_model import VGG16Model

_BLOCKS = 4
_WIDTHS = (256, 64, 16)
_STRIDES = ((2, 1), (2, 1), (1, 1))


@keras.saving.register_keras_serializable("mgtl_tf")
class DynamicSimilarityMatching(VGG16Model):
    """A view's VGG-16 to conv4_3 and three convolutions: columns of features.

    The aerial branch pads circularly, so that a turned world gives turned
    columns. The ground branch sees the middle `field_of_view` of a panorama.

    With `shift_search` ("DSM (search)") the two descriptors are compared at
    the best of all circular shifts; the satellite's is then no unit vector.
    Without ("DSM (aligned)") they are compared as they stand.

    With 128 x 512 images 17,943,840 parameters and descriptors of 64 columns
    of 4 x 16 numbers. The head's convolutions of stride 2 pad a row at both
    ends in the aerial branch and, of even heights, only at the lower one in
    the ground branch, as in the published code. With batch normalisation of
    the backbone the head has it too, after its last convolution as well:
    from random weights all columns would else begin nearly alike, and stay so.
    """

    system = "dsm"

    def build(self, input_shape):
        ground = list(input_shape["ground"])
        ground[2] = self.config.seen_columns
        self.ground.build(tuple(ground))
        self.satellite.build(input_shape["satellite"])

    def _backbone_arguments(self, view):
        own = {"blocks": _BLOCKS, "circular": view == "satellite"}
        return super()._backbone_arguments(view) | own

    def _head(self, view):
        layers = self._convolutions(view == "satellite")
        return keras.Sequential(layers, name="head")

    def _convolutions(self, circular):
        common = {"dtype": self.dtype_policy}
        layers = []
        for place, (width, strides) in enumerate(
            zip(_WIDTHS, _STRIDES, strict=True), start=1
        ):
            if circular:
                layers.append(CircularPadding(name=f"pad{place}", **common))
            layers.append(
                keras.layers.Conv2D(
                    width,
                    3,
                    strides,
                    padding="valid" if circular else "same",
                    bias_initializer="glorot_uniform",
                    name=f"conv{place}",
                    **common,
                )
            )
            if self.config.backbone_normalization == "batch":
                layers.append(
                    keras.layers.BatchNormalization(
                        momentum=NORMALIZATION_MOMENTUM,
                        name=f"bn{place}",
                        **common,
                    )
                )
            if place < len(_WIDTHS):
                layers.append(keras.layers.ReLU(name=f"relu{place}", **common))
        return layers

    def _forward(self, images, view, training, first_block=0):
        network = self.ground if view == "ground" else self.satellite
        if view == "ground":
            images = _middle(images, self.config.seen_columns)
        found = self._vectors(network, images, training, first_block)
        columns = ops.transpose(found, (0, 2, 1, 3))  # [B, w, h, C]
        if self.config.shift_search and view == "satellite":
            return flat_vectors(columns), [], []
        if view == "satellite":
            columns = _middle(columns, self._ground_columns, axis=1)
        return unit_vectors(columns), [], []

    @property
    def _ground_columns(self):
        """w' of ground descriptors."""
        return -(-self.config.seen_columns // self.config.column_pixels)


def _middle(values, count, axis=2):
    """The `count` middle rows of an axis."""
    start = (values.shape[axis] - count) // 2
    if axis == 1:
        return values[:, start : start + count]
    return values[:, :, start : start + count]
