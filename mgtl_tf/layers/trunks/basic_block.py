"""ResNet-34's block (He et al. 2016)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import (
    ConfiguredLayer,
    build_chain,
    spaced,
)
from mgtl_tf.layers.trunks.normalized_conv import NormalizedConv


@keras.saving.register_keras_serializable("mgtl_tf")
class BasicBlock(ConfiguredLayer):
    """y = ReLU(C2(ReLU(C1(x))) + S(x)), each with batch normalisation.

    C1 and C2 are 3 x 3; S is a 1 x 1 convolution where the shape changes, and
    else x itself.

    Args:
        filters: C'.
        stride: of C1 and S.

    Call arguments:
        features: [B, h, w, C].
        training: whether batch statistics are used.

    Output:
        [B, ceil(h / stride), ceil(w / stride), C'].
    """

    def __init__(self, filters, stride=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.stride = stride
        common = {"dtype": self.dtype_policy}
        self.conv1 = NormalizedConv(filters, 3, stride, name="conv1", **common)
        self.conv2 = NormalizedConv(filters, 3, 1, name="conv2", **common)

    def build(self, input_shape):
        build_chain([self.conv1, self.conv2], input_shape)
        self.shortcut = None
        if self.stride != 1 or input_shape[-1] != self.filters:
            self.shortcut = NormalizedConv(
                self.filters, 1, name="shortcut", dtype=self.dtype_policy
            )
            self.shortcut.build(input_shape)

    def call(self, features, training=None):
        kept = features
        if self.shortcut is not None:
            kept = spaced(features, self.stride)
            kept = self.shortcut(kept, training=training)
        found = ops.relu(self.conv1(features, training=training))
        return ops.relu(self.conv2(found, training=training) + kept)

    def compute_output_shape(self, input_shape):
        return self.conv1.compute_output_shape(input_shape)
