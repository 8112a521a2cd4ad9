"""L2LTR: layer-to-layer transformer (Yang et al. 2021)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.class_token import ClassToken
from mgtl_tf.layers.hybrid_stem import HybridStem
from mgtl_tf.layers.layer_to_layer_block import LayerToLayerBlock
from mgtl_tf.models.cross_view_model import TwoBranchModel
from mgtl_tf.models.pretrained_vit import load_vit_weights


@keras.saving.register_keras_serializable("mgtl_tf")
class LayerToLayerNetwork(keras.layers.Layer):
    """One view of L2LTR: a ResNet stem, then blocks whose keys lag behind.

    Args:
        channels: C of a token.
        heads: of every block.
        depth: how many blocks.
        mlp_ratio: hidden width of the MLPs, in multiples of C.
        stem_units: residual units of the stem's three stages.
        width_multiplier: of the stem.
        dropout: rate after the embedding and each MLP, while training.
        residual_init: of the blocks.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].
        training: whether dropout acts.

    Output:
        [B, C], the class token after the last norm.
    """

    def __init__(
        self,
        channels=768,
        heads=12,
        depth=12,
        mlp_ratio=4,
        stem_units=(3, 4, 9),
        width_multiplier=1.0,
        dropout=0.1,
        residual_init="glorot",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.channels = channels
        self.heads = heads
        self.depth = depth
        self.mlp_ratio = mlp_ratio
        self.stem_units = tuple(stem_units)
        self.width_multiplier = width_multiplier
        self.dropout = dropout
        self.residual_init = residual_init

    def build(self, input_shape):
        """Builds stem, embedding, blocks and norm for [B, H, W, 3]."""
        common = {"dtype": self.dtype_policy}
        self.stem = HybridStem(
            self.stem_units, self.width_multiplier, name="stem", **common
        )
        self.stem.build(input_shape)
        features = self.stem.compute_output_shape(input_shape)
        self.embedding = keras.layers.Conv2D(
            self.channels, 1, name="embedding", **common
        )
        self.embedding.build(features)
        self.grid = tuple(features[1:3])
        tokens = (features[0], self.grid[0] * self.grid[1], self.channels)
        self.placed = ClassToken(self.dropout, name="class_token", **common)
        self.placed.build(tokens)
        tokens = self.placed.compute_output_shape(tokens)
        self.blocks = [
            LayerToLayerBlock(
                self.heads,
                self.mlp_ratio,
                self.dropout,
                self.residual_init,
                name=f"block_{place}",
                **common,
            )
            for place in range(self.depth)
        ]
        for block in self.blocks:
            block.build(tokens, tokens)
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name="norm", **common
        )
        self.norm.build(tokens)

    def call(self, images, training=None):
        """The class token [B, C]."""
        features = self.embedding(self.stem(images))  # [B, h, w, C]
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
        """[B, C]."""
        return (input_shape[0], self.channels)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "channels": self.channels,
            "heads": self.heads,
            "depth": self.depth,
            "mlp_ratio": self.mlp_ratio,
            "stem_units": self.stem_units,
            "width_multiplier": self.width_multiplier,
            "dropout": self.dropout,
            "residual_init": self.residual_init,
        }


@keras.saving.register_keras_serializable("mgtl_tf")
class LayerToLayerTransformer(TwoBranchModel):
    """L2LTR: two networks of their own weights.

    Published: 128 x 512 images, C = 768, 12 heads, 12 blocks, stem (3, 4, 9):
    195,909,248 parameters, descriptors of 768 numbers. What it takes and
    gives: see TwoBranchModel.
    """

    system = "l2ltr"

    def _network(self, **common):
        config = self.config
        return LayerToLayerNetwork(
            config.channels,
            config.heads,
            config.vit_blocks,
            config.mlp_ratio,
            config.stem_blocks,
            config.width_multiplier,
            config.backbone_dropout,
            config.residual_init,
            **common,
        )

    def start_from(self, source):
        """Starts both views from R50+ViT-B/16, an .npz; see load_vit_weights.

        Raises:
            UserError: where the file does not fit.
        """
        load_vit_weights([self.ground, self.satellite], source)
