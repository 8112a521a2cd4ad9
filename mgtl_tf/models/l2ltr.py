"""L2LTR: layer-to-layer transformer (Yang et al. 2021)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer, build_chain
from mgtl_tf.layers.trunks.hybrid_stem import HybridStem
from mgtl_tf.layers.vit.class_token import ClassToken
from mgtl_tf.layers.vit.layer_to_layer_block import LayerToLayerBlock
from mgtl_tf.models.backbones import transformer_arguments
from mgtl_tf.models.pretrained_vit import load_vit
from mgtl_tf.models.two_branch_model import TwoBranchModel


@keras.saving.register_keras_serializable("mgtl_tf")
class LayerToLayerNetwork(ConfiguredLayer):
    """One view of L2LTR: a ResNet stem, then blocks whose keys lag behind.

    Args:
        channels: C of a token.
        depth: how many blocks.
        stem: dict of arguments of HybridStem.
        block: dict of arguments of LayerToLayerBlock; its dropout acts after
            the embedding as well.
        position_deviation: as of ClassToken.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].
        training: whether dropout acts.

    Output:
        [B, C], the class token after the last norm.
    """

    def __init__(
        self,
        channels=768,
        depth=12,
        stem=None,
        block=None,
        position_deviation=0.02,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.channels = channels
        self.depth = depth
        self.stem = dict(stem or {})
        self.block = dict(block or {})
        self.position_deviation = position_deviation
        common = {"dtype": self.dtype_policy}
        self.features = HybridStem(**self.stem, name="stem", **common)
        self.embedding = keras.layers.Conv2D(
            channels, 1, name="embedding", **common
        )
        dropout = self.block.get("dropout", 0.0)
        self.placed = ClassToken(
            dropout,
            position_deviation=position_deviation,
            name="class_token",
            **common,
        )
        self.blocks = [
            LayerToLayerBlock(**self.block, name=f"block_{place}", **common)
            for place in range(depth)
        ]
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name="norm", **common
        )

    def build(self, input_shape):
        shape = build_chain([self.features, self.embedding], input_shape)
        self.grid = shape[1:3]
        cells = (shape[0], self.grid[0] * self.grid[1], self.channels)
        build_chain([self.placed, *self.blocks, self.norm], cells)

    def call(self, images, training=None):
        features = self.embedding(self.features(images))  # [B, h, w, C]
        cells = self.grid[0] * self.grid[1]
        tokens = ops.reshape(features, (-1, cells, self.channels))
        tokens = self.placed(tokens, training=training)
        previous = tokens
        for block in self.blocks:
            tokens, previous = (
                block(tokens, previous, training=training),
                tokens,
            )
        return self.norm(tokens)[:, 0]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.channels)


@keras.saving.register_keras_serializable("mgtl_tf")
class LayerToLayerTransformer(TwoBranchModel):
    """L2LTR: two networks of their own weights.

    Published: 128 x 512 images, C = 768, 12 heads, 12 blocks, stem (3, 4, 9):
    195,909,248 parameters, descriptors of 768 numbers.
    """

    system = "l2ltr"

    def _network(self, view):
        config = self.config
        return LayerToLayerNetwork(
            config.channels,
            config.vit_blocks,
            stem={
                "units": config.stem_blocks,
                "width_multiplier": config.width_multiplier,
            },
            block=transformer_arguments(config),
            position_deviation=config.position_deviation,
            name=view,
            dtype=self.dtype_policy,
        )

    def start_from(self, source):
        """Starts both views from R50+ViT-B/16, an .npz; see load_vit.

        Raises:
            UserError: where the file does not fit.
        """
        load_vit([self.ground, self.satellite], source)
