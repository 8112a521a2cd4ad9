"""A convolution and batch normalisation, as ResNets have them."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.vgg16 import NORMALIZATION_MOMENTUM


@keras.saving.register_keras_serializable("mgtl_tf")
class NormalizedConv(ConfiguredLayer):
    """Convolution without bias, zeros on all sides alike, then BatchNorm.

    As in PyTorch, whose weights ResNets are published with: with stride 2
    SAME would pad even sizes on one side alone.

    Args:
        filters, side, stride: of the convolution.

    Call arguments:
        features: [B, h, w, C].
        training: whether the batch's statistics are used.

    Output:
        [B, ceil(h / stride), ceil(w / stride), filters].
    """

    def __init__(self, filters, side=3, stride=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.side = side
        self.stride = stride
        self.convolution = keras.layers.Conv2D(
            filters,
            side,
            stride,
            use_bias=False,
            kernel_initializer="he_normal",
            name="conv",
            dtype=self.dtype_policy,
        )
        self.norm = keras.layers.BatchNormalization(
            momentum=NORMALIZATION_MOMENTUM,
            epsilon=1e-5,
            name="norm",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        batch, height, width, channels = input_shape
        more = 2 * (self.side // 2)
        self.convolution.build((batch, height + more, width + more, channels))
        self.norm.build(self.compute_output_shape(input_shape))

    def call(self, features, training=None):
        around = (self.side // 2, self.side // 2)
        padded = ops.pad(features, [(0, 0), around, around, (0, 0)])
        return self.norm(self.convolution(padded), training=training)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        height, width = -(-height // self.stride), -(-width // self.stride)
        return (batch, height, width, self.filters)
