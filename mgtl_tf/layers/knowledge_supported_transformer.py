"""GKST: tokens attend to knowledge (Eq. 4, 5, R8, R9)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.multi_head_attention import (
    attention_weights,
    multi_head_attention,
)
from mgtl_tf.layers.perceptron import Perceptron


@keras.saving.register_keras_serializable("mgtl_tf")
class KnowledgeSupportedTransformer(ConfiguredLayer):
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

    def build(self, input_shape):
        """Makes the attention, the norm and the MLP for [B, T, C].

        Raises:
            ValueError: where `heads` does not divide C.
        """
        common = {"dtype": self.dtype_policy}
        self.attention = multi_head_attention(
            input_shape, self.heads, self.residual_init, self.dtype_policy
        )
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name="norm", **common
        )
        self.norm.build(input_shape)
        self.mlp = None
        if self.ffn == "mlp":
            self.mlp = Perceptron(
                self.mlp_ratio,
                residual_init=self.residual_init,
                name="mlp",
                **common,
            )
            self.mlp.build(input_shape)

    def call(self, tokens, knowledge):
        updated = self.attention(tokens, knowledge) + tokens
        normalized = self.norm(updated)
        return updated + (
            normalized if self.mlp is None else self.mlp(normalized)
        )

    def attention_weights(self, tokens, knowledge):
        """Softmax weights over the knowledge, float32 [B, heads, T, T']."""
        return attention_weights(self.attention, tokens, knowledge)
