"""AlexNet to its second fully connected layer (Krizhevsky et al. 2012)."""

from __future__ import annotations

from typing import Any

import keras

from mgtl_tf.layers.color_scaling import bgr_less
from mgtl_tf.layers.configured_layer import (
    ConfiguredLayer,
    build_chain,
    run_chain,
)
from mgtl_tf.layers.trunks.ceil_max_pooling import CeilMaxPooling2D
from mgtl_tf.layers.trunks.grouped_conv import GroupedConv2D
from mgtl_tf.layers.trunks.local_response_normalization import (
    LocalResponseNormalization,
)
from mgtl_tf.layers.vgg16 import (
    CAFFE_MEANS_BGR,
    NORMALIZATION_MOMENTUM,
    scaled_width,
)

# Name, filters, side, stride, padding, whether in groups, whether pooled.
_CONVOLUTIONS = (
    ("conv1", 96, 11, 4, "valid", False, True),
    ("conv2", 256, 5, 1, "same", True, True),
    ("conv3", 384, 3, 1, "same", False, False),
    ("conv4", 384, 3, 1, "same", True, False),
    ("conv5", 256, 3, 1, "same", True, True),
)
_NORMALIZED = ("conv1", "conv2")
_UNITS = 4096
# Those that AlexNet starts with a bias above 0, so that ReLUs are not dead.
_OPENED = ("conv2", "conv4", "conv5", "fc6", "fc7")


@keras.saving.register_keras_serializable("mgtl_tf")
class AlexNet(ConfiguredLayer):
    """RGB image to fc7: five convolutions, two fully connected layers.

    Of 224 x 224 images (or 227 x 227) the last map is 6 x 6 x 256. Poolings
    are Caffe's, of 3 x 3 with stride 2.

    Args:
        width_multiplier: scales the channels of every layer.
        poolings: how many of the three poolings are kept, the first ones.
        groups: of channels in conv2, conv4 and conv5: 2 (AlexNet) or 1.
        normalization: "none", or "batch": after each layer.
        dropout: rate after fc6 and fc7.
        start: of the weights: "gaussian" (AlexNet's: deviation 0.01, of fc6
            and fc7 0.005, some biases 0.1), or "he_normal", which keeps the
            size of activations from layer to layer.
        means: of blue, green and red, that are subtracted.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3], H and W 11 or more.
        training: whether dropout acts and batch statistics are used.

    Output:
        [B, 4096 * width_multiplier].
    """

    def __init__(
        self,
        width_multiplier=1.0,
        poolings=3,
        groups=1,
        normalization="none",
        dropout=0.5,
        start="gaussian",
        means=CAFFE_MEANS_BGR,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.width_multiplier = width_multiplier
        self.poolings = poolings
        self.groups = groups
        self.normalization = normalization
        self.dropout = dropout
        self.start = start
        self.means = tuple(means)

    def build(self, input_shape):
        common = {"dtype": self.dtype_policy}
        stages, pooled = [], 0
        for (
            name,
            filters,
            side,
            stride,
            padding,
            grouped,
            pool,
        ) in _CONVOLUTIONS:
            convolution = GroupedConv2D(
                self._width(filters),
                side,
                stride,
                padding,
                groups=self.groups if grouped else 1,
                name=name,
                **self._initializers(name, 0.01),
                **common,
            )
            stages += self._with_relu(convolution)
            if name in _NORMALIZED:
                stages.append(
                    LocalResponseNormalization(name=f"{name}_lrn", **common)
                )
            if pool and pooled < self.poolings:
                stages.append(CeilMaxPooling2D(name=f"{name}_pool", **common))
                pooled += 1
        stages.append(keras.layers.Flatten(name="flatten", **common))
        for name in ("fc6", "fc7"):
            dense = keras.layers.Dense(
                self._width(_UNITS),
                name=name,
                **self._initializers(name, 0.005),
                **common,
            )
            stages += self._with_relu(dense)
            stages.append(
                keras.layers.Dropout(
                    self.dropout, name=f"{name}_drop", **common
                )
            )
        build_chain(stages, input_shape)
        self.stages = stages

    def _width(self, channels):
        # In two groups, even numbers of channels.
        return 2 * scaled_width(channels / 2, self.width_multiplier)

    def _initializers(self, name, deviation) -> dict[str, Any]:
        if self.start != "gaussian":
            return {"kernel_initializer": self.start}
        return {
            "kernel_initializer": keras.initializers.RandomNormal(
                stddev=deviation
            ),
            "bias_initializer": keras.initializers.Constant(
                0.1 if name in _OPENED else 0.0
            ),
        }

    def _with_relu(self, layer):
        common = {"dtype": self.dtype_policy}
        yield layer
        if self.normalization == "batch":
            yield keras.layers.BatchNormalization(
                momentum=NORMALIZATION_MOMENTUM,
                name=f"{layer.name}_bn",
                **common,
            )
        yield keras.layers.ReLU(name=f"{layer.name}_relu", **common)

    def call(self, images, training=None):
        features = bgr_less(images, self.means, self.compute_dtype)
        return run_chain(self.stages, features, training)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self._width(_UNITS))
