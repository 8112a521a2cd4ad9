"""A token for the whole image, and where each token stands."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("mgtl_tf")
class ClassToken(keras.layers.Layer):
    """Puts one learned token before the others, adds learned positions.

    Args:
        dropout: rate after the sum, while training.

    Call arguments:
        tokens: [B, T, C].
        training: whether dropout acts.

    Output:
        [B, 1 + T, C].
    """

    def __init__(self, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.dropout = dropout

    def build(self, input_shape):
        """Makes the token and the table for [B, T, C]."""
        length, channels = input_shape[1:]
        self.token = self.add_weight(
            name="token", shape=(1, 1, channels), initializer="zeros"
        )
        self.positions = self.add_weight(
            name="positions",
            shape=(1, 1 + length, channels),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        )
        self.drop = keras.layers.Dropout(
            self.dropout, name="drop", dtype=self.dtype_policy
        )

    def call(self, tokens, training=None):
        """The longer row of tokens."""
        first = ops.repeat(
            ops.cast(self.token, tokens.dtype), ops.shape(tokens)[0], axis=0
        )
        joined = ops.concatenate([first, tokens], axis=1)
        placed = joined + ops.cast(self.positions, tokens.dtype)
        return self.drop(placed, training=training)

    def compute_output_shape(self, input_shape):
        """One token more."""
        return (input_shape[0], input_shape[1] + 1, input_shape[2])

    def get_config(self):
        """The constructor's argument."""
        return {**super().get_config(), "dropout": self.dropout}
