"""A feature map's columns, each through one linear map."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.vgg16 import NORMALIZATION_MOMENTUM

# Also keeps rows and channels that hardly ever answer below unit variance.
_EPSILON = 1e-2


@keras.saving.register_keras_serializable("mgtl_tf")
class ColumnProjection(ConfiguredLayer):
    """Non-negative feature map to one C-vector a column (azimuth).

    x = (sqrt(F + 0.01) - mean) / std, the square root against bursts of single
    channels, mean and standard deviation of each row and channel over images
    and columns, so that what all images of a view share is gone; then one
    linear map of all h x C' numbers of a column, after dropout.

    Args:
        channels: C.
        dropout: rate on a column's numbers while training.

    Call arguments:
        features: [B, h, w, C'], at least 0.
        training: whether dropout acts and the batch's statistics are used.

    Output:
        [B, w, C].
    """

    def __init__(self, channels=48, dropout=0.5, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.dropout = dropout

    def build(self, input_shape):
        # In float32: it is small, and bfloat16 would round what it compares.
        common = {"dtype": "float32"}
        self.normalization = keras.layers.BatchNormalization(
            momentum=NORMALIZATION_MOMENTUM,
            epsilon=_EPSILON,
            center=False,
            scale=False,
            name="normalization",
            **common,
        )
        self.drop = keras.layers.Dropout(self.dropout, name="drop", **common)
        self.projection = keras.layers.Dense(
            self.channels, name="projection", **common
        )
        _, rows, columns, channels = input_shape
        shape = (None, columns, rows * channels)
        for layer in (self.normalization, self.drop, self.projection):
            layer.build(shape)

    def call(self, features, training=None):
        _, rows, columns, channels = features.shape
        # The slope of a root is infinite at 0, where most features are.
        root = ops.sqrt(ops.cast(features, "float32") + _EPSILON)
        flat = ops.reshape(
            ops.transpose(root, (0, 2, 1, 3)), (-1, columns, rows * channels)
        )
        flat = self.normalization(flat, training=training)
        columns = self.projection(self.drop(flat, training=training))
        return ops.cast(columns, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[2], self.channels)
