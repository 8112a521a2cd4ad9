"""A convolution in groups of channels, by plain convolutions."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("mgtl_tf")
class GroupedConv2D(keras.layers.Conv2D):
    """Keras' Conv2D with `groups`, one convolution a group.

    TensorFlow has no grouped convolution on CPUs, and Keras compiles one by
    XLA in its place, which a SavedModel, ONNX and TFLite do not carry.

    Args:
        filters, kernel_size, groups, ...: of keras.layers.Conv2D.

    Call arguments:
        inputs: [B, H, W, C].

    Output:
        as of keras.layers.Conv2D.
    """

    def convolution_op(self, inputs, kernel):
        """Convolutions of each group's channels with its filters."""
        maps = ops.split(inputs, self.groups, axis=-1)
        kernels = ops.split(kernel, self.groups, axis=-1)
        found = [
            ops.conv(m, k, self.strides, self.padding)
            for m, k in zip(maps, kernels, strict=True)
        ]
        return ops.concatenate(found, axis=-1)
