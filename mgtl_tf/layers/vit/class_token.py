"""Tokens for the whole image, and where each token stands."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer


@keras.saving.register_keras_serializable("mgtl_tf")
class ClassToken(ConfiguredLayer):
    """Puts learned tokens before the others, adds learned positions.

    Args:
        dropout: rate after the sum, while training.
        count: N, how many tokens are put before: DeiT has a second one, for
            distillation.
        position_deviation: standard deviation at which positions start.

    Call arguments:
        tokens: [B, T, C].
        training: whether dropout acts.

    Output:
        [B, N + T, C].
    """

    def __init__(self, dropout=0.0, count=1, position_deviation=0.02, **kwargs):
        super().__init__(**kwargs)
        self.dropout = dropout
        self.count = count
        self.position_deviation = position_deviation

    def build(self, input_shape):
        length, channels = input_shape[1:]
        self.token = self.add_weight(
            name="token", shape=(1, self.count, channels), initializer="zeros"
        )
        self.positions = self.add_weight(
            name="positions",
            shape=(1, self.count + length, channels),
            initializer=keras.initializers.TruncatedNormal(
                stddev=self.position_deviation
            ),
        )
        self.drop = keras.layers.Dropout(
            self.dropout, name="drop", dtype=self.dtype_policy
        )

    def call(self, tokens, training=None):
        first = ops.repeat(
            ops.cast(self.token, tokens.dtype), ops.shape(tokens)[0], axis=0
        )
        joined = ops.concatenate([first, tokens], axis=1)
        placed = joined + ops.cast(self.positions, tokens.dtype)
        return self.drop(placed, training=training)

    def compute_output_shape(self, input_shape):
        batch, length, channels = input_shape
        return (batch, length + self.count, channels)
