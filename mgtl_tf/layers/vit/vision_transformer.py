"""The trunk of DeiT: an image to a class and a distillation token."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.color_scaling import standardized
from mgtl_tf.layers.configured_layer import ConfiguredLayer, build_chain
from mgtl_tf.layers.vit.class_token import ClassToken
from mgtl_tf.layers.vit.transformer_block import TransformerBlock

TOKENS = 2
"""N, a class token and one for distillation (Touvron et al. 2021)."""


@keras.saving.register_keras_serializable("mgtl_tf")
class VisionTransformer(ConfiguredLayer):
    """Patches of an image, two tokens before them, and blocks.

    Pixels right of or below the last whole patch are dropped.

    Args:
        channels: C of a token.
        depth: how many blocks.
        patch_size: side of a patch, pixels.
        block: dict of arguments of TransformerBlock; its dropout acts after
            the embedding as well.
        position_deviation: as of ClassToken.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].
        training: whether dropout acts.

    Output:
        [B, 2, C], class and distillation token after the last norm.

    Reference: Touvron, Cord, Douze, Massa, Sablayrolles, Jegou, "Training
    data-efficient image transformers & distillation through attention", ICML
    2021.
    """

    def __init__(
        self,
        channels=384,
        depth=12,
        patch_size=16,
        block=None,
        position_deviation=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.channels = channels
        self.depth = depth
        self.patch_size = patch_size
        self.block = dict(block or {})
        self.position_deviation = position_deviation
        common = {"dtype": self.dtype_policy}
        self.embedding = keras.layers.Conv2D(
            channels, patch_size, patch_size, name="embedding", **common
        )
        dropout = self.block.get("dropout", 0.0)
        self.placed = ClassToken(
            dropout, TOKENS, position_deviation, name="tokens", **common
        )
        self.blocks = [
            TransformerBlock(**self.block, name=f"block_{place}", **common)
            for place in range(depth)
        ]
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name="norm", **common
        )

    def build(self, input_shape):
        shape = build_chain([self.embedding], input_shape)
        self.grid = shape[1:3]
        cells = (shape[0], self.grid[0] * self.grid[1], self.channels)
        build_chain([self.placed, *self.blocks, self.norm], cells)

    def call(self, images, training=None):
        return self.encoded(self.tokens(images, training), training)

    def tokens(self, images, training=None):
        """What enters the first block: [B, H, W, 3] to [B, 2 + h w, C]."""
        features = self.embedding(standardized(images, self.compute_dtype))
        cells = self.grid[0] * self.grid[1]
        cells = ops.reshape(features, (-1, cells, self.channels))
        return self.placed(cells, training=training)

    def encoded(self, tokens, training=None):
        """What the blocks make of tokens, [B, 2 + T, C] to [B, 2, C]."""
        for block in self.blocks:
            tokens = block(tokens, training=training)
        return self.norm(tokens[:, :TOKENS])

    def attention(self, images):
        """How much both tokens attend to each patch in the last block.

        Args:
            images: as of the call.

        Returns:
            float32 [B, h, w], the sum over both tokens and all heads.
        """
        # As in evaluation, whatever network calls it.
        tokens = self.tokens(images, False)
        *others, last = self.blocks
        for block in others:
            tokens = block(tokens, training=False)
        found = last.attention_of(tokens, TOKENS)
        return ops.reshape(found, (-1, *self.grid))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], TOKENS, self.channels)
