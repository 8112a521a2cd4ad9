"""L2LTR's block: keys come from the layer before (Yang et al. 2021)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.multi_head_attention import (
    LAST_INITIALIZERS,
    multi_head_attention,
)
from mgtl_tf.layers.perceptron import Perceptron


@keras.saving.register_keras_serializable("mgtl_tf")
class LayerToLayerBlock(keras.layers.Layer):
    """A pre-norm transformer block with a key from the previous input.

    Q, V = maps of LN(x), K = map of LN'(previous x); x' = x + W_O attention;
    x'' = x' + MLP(LN(x')).

    Args:
        heads: number of attention heads, a divisor of C.
        mlp_ratio: hidden width of the MLP, in multiples of C.
        dropout: rate after the MLP, while training.
        residual_init: "glorot", or "zeros": the last map of each residual
            branch starts at zero (R19).

    Call arguments:
        tokens: [B, T, C].
        previous: [B, T, C], the input of the block before; the first block
            takes its own input twice.
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

    def build(self, tokens_shape, previous_shape=None):
        """Makes attention, norms and MLP for [B, T, C].

        Raises:
            ValueError: where `heads` does not divide C.
        """
        common = {"dtype": self.dtype_policy}
        self.attention = multi_head_attention(
            tokens_shape,
            previous_shape or tokens_shape,
            self.heads,
            self.residual_init,
            self.dtype_policy,
        )
        self.norm = self._norm("norm", tokens_shape)
        self.key_norm = self._norm("key_norm", tokens_shape)
        self.mlp_norm = self._norm("mlp_norm", tokens_shape)
        self.mlp = Perceptron(
            self.mlp_ratio,
            last_initializer=LAST_INITIALIZERS[self.residual_init],
            name="mlp",
            **common,
        )
        self.mlp.build(tokens_shape)
        self.drop = keras.layers.Dropout(self.dropout, name="drop", **common)

    def _norm(self, name, shape):
        norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name=name, dtype=self.dtype_policy
        )
        norm.build(shape)
        return norm

    def call(self, tokens, previous, training=None):
        """The block's output [B, T, C]."""
        own = self.norm(tokens)
        tokens = tokens + self.attention(own, own, self.key_norm(previous))
        changed = self.mlp(self.mlp_norm(tokens))
        return tokens + self.drop(changed, training=training)

    def compute_output_shape(self, tokens_shape, previous_shape=None):
        """Unchanged."""
        return tokens_shape

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "heads": self.heads,
            "mlp_ratio": self.mlp_ratio,
            "dropout": self.dropout,
            "residual_init": self.residual_init,
        }
