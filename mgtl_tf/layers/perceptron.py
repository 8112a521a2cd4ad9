"""The two-map perceptron that CMI and GKST are made of."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable("mgtl_tf")
class Perceptron(keras.layers.Layer):
    """C -> ratio * C -> GELU -> C, on every token (section 2.3, R7, R9).

    Args:
        ratio: hidden width, in multiples of C.
        kernel_size: 1 for fully-connected maps; more for 1-D convolutions
            over that many azimuth positions ("Naive", Table 4).
        last_initializer: initial weights of the last map (R19).

    Call arguments:
        tokens: [B, T, C].

    Output:
        [B, T, C].
    """

    def __init__(
        self,
        ratio=4,
        kernel_size=1,
        last_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.ratio = ratio
        self.kernel_size = kernel_size
        self.last_initializer = last_initializer

    def build(self, input_shape):
        """Makes both maps for [B, T, C]."""
        channels, hidden = input_shape[-1], input_shape[-1] * self.ratio
        self.widen = self._map(hidden, "widen", "glorot_uniform")
        self.narrow = self._map(channels, "narrow", self.last_initializer)
        self.widen.build(input_shape)
        self.narrow.build((*input_shape[:-1], hidden))

    def _map(self, width, name, initializer):
        common = {
            "kernel_initializer": initializer,
            "name": name,
            "dtype": self.dtype_policy,
        }
        if self.kernel_size == 1:
            return keras.layers.Dense(width, **common)
        return keras.layers.Conv1D(
            width, self.kernel_size, padding="same", **common
        )

    def call(self, tokens):
        """The mapped tokens [B, T, C]."""
        hidden = keras.activations.gelu(self.widen(tokens))
        return self.narrow(hidden)

    def compute_output_shape(self, input_shape):
        """Unchanged."""
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "kernel_size": self.kernel_size,
            "last_initializer": self.last_initializer,
        }
