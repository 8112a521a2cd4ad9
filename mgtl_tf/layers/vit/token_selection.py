"""Only the patches that a map of attention names go on (TransGeo)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.bilinear_resize import BilinearResize
from mgtl_tf.layers.configured_layer import ConfiguredLayer


@keras.saving.register_keras_serializable("mgtl_tf")
class TokenSelection(ConfiguredLayer):
    """Keeps the tokens of the patches with the highest attention.

    The attention is resized bilinearly to the grid of the patches; of equal
    values the first in reading order is kept. Kept patches stand in the order
    of their attention, which a transformer with positions does not see.

    Args:
        kept: K, how many patches are kept.
        grid: (h, w), the patches of an image.

    Call arguments:
        tokens: [B, N + h w, C]; the first N, which are of no patch, are kept.
        attention: [B, h', w'].

    Output:
        [B, N + K, C].
    """

    def __init__(self, kept, grid, **kwargs):
        # In float32: bfloat16 would tie attention that differs little.
        super().__init__(autocast=False, **kwargs)
        self.kept = kept
        self.grid = tuple(grid)
        self.resize = BilinearResize(self.grid, name="resize", dtype="float32")

    def call(self, tokens, attention):
        tokens = ops.cast(tokens, self.compute_dtype)
        patches = self.grid[0] * self.grid[1]
        first = tokens.shape[1] - patches
        wide = self.resize(ops.cast(attention, "float32")[..., None])
        order = ops.top_k(ops.reshape(wide, (-1, patches)), self.kept)[1]
        chosen = ops.take_along_axis(
            tokens[:, first:], order[..., None], axis=1
        )
        return ops.concatenate([tokens[:, :first], chosen], axis=1)

    def compute_output_shape(self, input_shape):
        batch, length, channels = input_shape
        left = length - self.grid[0] * self.grid[1] + self.kept
        return (batch, left, channels)
