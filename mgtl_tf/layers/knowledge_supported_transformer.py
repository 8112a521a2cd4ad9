"""GKST: tokens attend to knowledge (Eq. 4, 5, R8, R9)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.attention import attend
from mgtl_tf.layers.attention import attention_weights
from mgtl_tf.layers.perceptron import Perceptron


@keras.saving.register_keras_serializable("mgtl_tf")
class KnowledgeSupportedTransformer(keras.layers.Layer):
    """One view's tokens, enhanced by attending to knowledge.

    Q = F W_Q, K = L W_K, V = L W_V, MH = Concat(heads) W_O   (Eq. 4)
    F' = MH + F                                               (Eq. 5)
    F_next = F' + MLP(LN(F'))        with ffn="mlp"           (R9)
    F_next = F' + LN(F')             with ffn="none", Eq. 5 to the letter

    F are the *normalised* tokens. The paper prints no output projection and
    no MLP; Table 2's parameter counts contain both (R8, R9).

    Args:
        heads: number of attention heads, a divisor of C.
        ffn: "mlp" or "none".
        mlp_ratio: hidden width of the MLP, in multiples of C.
        residual_init: "glorot", or "zeros": the last map of each residual
            branch starts at zero, the step as the identity (R19).

    Call arguments:
        tokens: normalised tokens of the view, [B, T, C].
        knowledge: [B, T', C]; the tokens themselves for self-attention.

    Output:
        [B, T, C].
    """

    def __init__(
        self, heads=6, ffn="mlp", mlp_ratio=4, residual_init="glorot", **kwargs
    ):
        super().__init__(**kwargs)
        self.heads = heads
        self.ffn = ffn
        self.mlp_ratio = mlp_ratio
        self.residual_init = residual_init

    def build(self, tokens_shape, knowledge_shape=None):
        """Makes the four projections, the norm and the MLP.

        Raises:
            ValueError: where `heads` does not divide C.
        """
        channels = tokens_shape[-1]
        if channels % self.heads:
            raise ValueError(f"heads={self.heads} must divide C={channels}")
        zeros = self.residual_init == "zeros"
        last = "zeros" if zeros else "glorot_uniform"
        for name in ("query", "key", "value", "output_map"):
            layer = keras.layers.Dense(
                channels,
                kernel_initializer=(
                    last if name == "output_map" else "glorot_uniform"
                ),
                name=name,
                dtype=self.dtype_policy,
            )
            layer.build(tokens_shape)
            setattr(self, name, layer)
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name="norm", dtype=self.dtype_policy
        )
        self.norm.build(tokens_shape)
        self.mlp = None
        if self.ffn == "mlp":
            self.mlp = Perceptron(
                self.mlp_ratio,
                last_initializer=last,
                name="mlp",
                dtype=self.dtype_policy,
            )
            self.mlp.build(tokens_shape)

    def call(self, tokens, knowledge):
        """The enhanced tokens [B, T, C] (Eq. 5)."""
        attended = self.output_map(self._attend(tokens, knowledge))
        updated = attended + tokens
        normalized = self.norm(updated)
        return updated + (
            normalized if self.mlp is None else self.mlp(normalized)
        )

    def attention_weights(self, tokens, knowledge):
        """Softmax weights over the knowledge, float32 [B, heads, T, T']."""
        query, key = self.query(tokens), self.key(knowledge)
        return attention_weights(query, key, self.heads)

    def _attend(self, tokens, knowledge):
        query, key = self.query(tokens), self.key(knowledge)
        return attend(query, key, self.value(knowledge), self.heads)

    def own_multiply_adds(self, tokens_shape, knowledge_shape):
        """Of Q K^T and of the weighted sum of V, for one image."""
        return 2 * tokens_shape[1] * knowledge_shape[1] * tokens_shape[2]

    def compute_output_shape(self, tokens_shape, knowledge_shape=None):
        """Unchanged."""
        return tokens_shape

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "heads": self.heads,
            "ffn": self.ffn,
            "mlp_ratio": self.mlp_ratio,
            "residual_init": self.residual_init,
        }
