"""L2LTR's block: keys come from the layer before (Yang et al. 2021)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.attention import attend
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
        """Makes maps, norms and MLP for [B, T, C].

        Raises:
            ValueError: where `heads` does not divide C.
        """
        channels = tokens_shape[-1]
        if channels % self.heads:
            raise ValueError(f"heads={self.heads} must divide C={channels}")
        zeros = self.residual_init == "zeros"
        last = "zeros" if zeros else "glorot_uniform"
        common = {"dtype": self.dtype_policy}
        for name in ("query", "key", "value", "output_map"):
            start = last if name == "output_map" else "glorot_uniform"
            layer = keras.layers.Dense(
                channels, kernel_initializer=start, name=name, **common
            )
            layer.build(tokens_shape)
            setattr(self, name, layer)
        for name in ("norm", "key_norm", "mlp_norm"):
            layer = keras.layers.LayerNormalization(
                epsilon=1e-6, name=name, **common
            )
            layer.build(tokens_shape)
            setattr(self, name, layer)
        self.mlp = Perceptron(
            self.mlp_ratio, last_initializer=last, name="mlp", **common
        )
        self.mlp.build(tokens_shape)
        self.drop = keras.layers.Dropout(self.dropout, name="drop", **common)

    def call(self, tokens, previous, training=None):
        """The block's output [B, T, C]."""
        own = self.norm(tokens)
        heads = attend(
            self.query(own),
            self.key(self.key_norm(previous)),
            self.value(own),
            self.heads,
        )
        tokens = tokens + self.output_map(heads)
        changed = self.mlp(self.mlp_norm(tokens))
        return tokens + self.drop(changed, training=training)

    def own_multiply_adds(self, tokens_shape, previous_shape):
        """Of Q K^T and of the weighted sum of V, for one image."""
        return 2 * tokens_shape[1] * previous_shape[1] * tokens_shape[2]

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
