"""The two-map perceptron that CMI and GKST are made of."""

from __future__ import annotations

import keras

from mgtl_tf.layers.configured_layer import ConfiguredLayer

INITIALIZERS = {"glorot": "glorot_uniform", "zeros": "zeros"}
"""`residual_init` to the initializer of a residual branch's last map."""


@keras.saving.register_keras_serializable("mgtl_tf")
class Perceptron(ConfiguredLayer):
    """C -> ratio * C -> GELU -> C, on every token (section 2.3, R7, R9).

    Args:
        ratio: hidden width, in multiples of C.
        kernel_size: 1 for fully-connected maps; more for 1-D convolutions
            over that many azimuth positions ("Naive", Table 4).
        residual_init: "glorot", or "zeros": the last map starts at zero
            (R19).

    Call arguments:
        tokens: [B, T, C].

    Output:
        [B, T, C].
    """

    def __init__(
        self, ratio=4, kernel_size=1, residual_init="glorot", **kwargs
    ):
        super().__init__(**kwargs)
        self.ratio = ratio
        self.kernel_size = kernel_size
        self.residual_init = residual_init

    def build(self, input_shape):
        channels, hidden = input_shape[-1], input_shape[-1] * self.ratio
        self.widen = self._map(hidden, "widen", "glorot")
        self.narrow = self._map(channels, "narrow", self.residual_init)
        self.widen.build(input_shape)
        self.narrow.build((*input_shape[:-1], hidden))

    def _map(self, width, name, start):
        common = {
            "kernel_initializer": INITIALIZERS[start],
            "name": name,
            "dtype": self.dtype_policy,
        }
        if self.kernel_size == 1:
            return keras.layers.Dense(width, **common)
        return keras.layers.Conv1D(
            width, self.kernel_size, padding="same", **common
        )

    def call(self, tokens):
        return self.narrow(keras.activations.gelu(self.widen(tokens)))
