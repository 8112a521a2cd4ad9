"""A linear map of each of a few tokens, averaged (DeiT's heads)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.configured_layer import ConfiguredLayer


@keras.saving.register_keras_serializable("mgtl_tf")
class TokenHeads(ConfiguredLayer):
    """The mean of what each token's own linear map makes of it.

    Args:
        units: D, numbers of the result.

    Call arguments:
        tokens: [B, N, C].

    Output:
        [B, D].
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        batch, count, channels = input_shape
        self.maps = [
            keras.layers.Dense(
                self.units, name=f"head_{place}", dtype=self.dtype_policy
            )
            for place in range(count)
        ]
        for layer in self.maps:
            layer.build((batch, channels))

    def call(self, tokens):
        made = [layer(tokens[:, n]) for n, layer in enumerate(self.maps)]
        return sum(made) / len(made)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)
