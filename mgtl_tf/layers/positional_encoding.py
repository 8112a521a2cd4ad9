"""PE: fixed sinusoids over the azimuth positions (Eq. 2, R6)."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer


def sinusoids(positions: int, channels: int) -> np.ndarray:
    """The encoding itself, float32 [T, C].

    Even channels 2k hold sin(t / 10000^(2k/C)), odd ones the cosine of the
    same angle, t = 0 .. T-1 (R6).

    Raises:
        ValueError: for an odd number of channels.
    """
    if channels % 2:
        raise ValueError(f"channels={channels}: must be even (sine, cosine)")
    frequency = 10000.0 ** (-np.arange(0, channels, 2) / channels)
    angle = np.arange(positions)[:, None] * frequency  # [T, C/2]
    table = np.stack([np.sin(angle), np.cos(angle)], axis=-1)  # [T, C/2, 2]
    return table.reshape(positions, channels).astype("float32")


@keras.saving.register_keras_serializable("mgtl_tf")
class PositionalEncoding(ConfiguredLayer):
    """Adds its azimuth position to every token: F^ = F* + PE (Eq. 2).

    No parameters: Table 2 leaves no room for learned ones (R6).

    Call arguments:
        tokens: [B, T, C].

    Output:
        [B, T, C].
    """

    def build(self, input_shape):
        """Computes the table for T and C of `input_shape`."""
        self._table = sinusoids(input_shape[-2], input_shape[-1])

    def call(self, tokens):
        return tokens + ops.cast(self._table, tokens.dtype)
