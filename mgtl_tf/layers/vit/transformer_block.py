"""The block of a vision transformer (Dosovitskiy et al. 2021)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.multi_head_attention import (
    attention_weights,
    multi_head_attention,
)
from mgtl_tf.layers.perceptron import Perceptron


@keras.saving.register_keras_serializable("mgtl_tf")
class TransformerBlock(ConfiguredLayer):
    """A pre-norm transformer block.

    x' = x + W_O attention(LN(x)); x'' = x' + MLP(LN(x')).

    Args:
        heads: number of attention heads, a divisor of C.
        mlp_ratio: hidden width of the MLP, in multiples of C.
        dropout: rate after the MLP, while training.
        residual_init: "glorot", or "zeros": the last map of each residual
            branch starts at zero (R19).

    Call arguments:
        tokens: [B, T, C].
        training: whether dropout acts.

    Output:
        [B, T, C].
    """

    def __init__(
        self,
        heads=12,
        mlp_ratio=4,
        dropout=0.0,
        residual_init="glorot",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.heads = heads
        self.mlp_ratio = mlp_ratio
        self.dropout = dropout
        self.residual_init = residual_init
        common = {"dtype": self.dtype_policy}
        self.norm, self.mlp_norm = (
            keras.layers.LayerNormalization(epsilon=1e-6, name=name, **common)
            for name in ("norm", "mlp_norm")
        )
        self.mlp = Perceptron(
            mlp_ratio, residual_init=residual_init, name="mlp", **common
        )
        self.drop = keras.layers.Dropout(dropout, name="drop", **common)

    def build(self, input_shape):
        """Makes the attention, and builds the rest, for [B, T, C].

        Raises:
            ValueError: where `heads` does not divide C.
        """
        self.attention = multi_head_attention(
            input_shape, self.heads, self.residual_init, self.dtype_policy
        )
        for layer in (self.norm, self.mlp_norm, self.mlp):
            layer.build(input_shape)

    def call(self, tokens, training=None):
        own = self.norm(tokens)
        return self.with_mlp(tokens + self.attention(own, own), training)

    def with_mlp(self, tokens, training=None):
        """The second half of the block: [B, T, C] to [B, T, C]."""
        changed = self.mlp(self.mlp_norm(tokens))
        return tokens + self.drop(changed, training=training)

    def attention_of(self, tokens, queries):
        """How much the first tokens attend to all others, over all heads.

        Args:
            tokens: the block's input, [B, T, C].
            queries: N, how many tokens attend.

        Returns:
            float32 [B, T - N], the sum over heads and over the N tokens.
        """
        own = self.norm(tokens)
        weights = attention_weights(self.attention, own[:, :queries], own)
        return ops.sum(weights, axis=(1, 2))[:, queries:]
