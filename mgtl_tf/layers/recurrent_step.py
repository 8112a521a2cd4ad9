"""One step of MGTL's recurrence."""

from __future__ import annotations

import keras

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.cross_modal_interaction import CrossModalInteraction
from mgtl_tf.layers.knowledge_supported_transformer import (
    KnowledgeSupportedTransformer,
)


@keras.saving.register_keras_serializable("mgtl_tf")
class RecurrentStep(ConfiguredLayer):
    """One step of one view: LN, CMI and GKST (Eq. 3 to 6).

    Args:
        knowledge: "cmi" or "conv" (local generators); otherwise none is
            generated, and attention reads the tokens themselves.
        heads, ffn, mlp_ratio, residual_init: of
            KnowledgeSupportedTransformer; `mlp_ratio` of CMI too.

    Call arguments:
        tokens: [B, T, C].

    Output:
        the enhanced tokens, the normalised tokens, and the knowledge that
        attention read, all [B, T, C].
    """

    def __init__(
        self,
        knowledge="cmi",
        heads=6,
        ffn="mlp",
        mlp_ratio=4,
        residual_init="glorot",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.knowledge = knowledge
        self.heads = heads
        self.ffn = ffn
        self.mlp_ratio = mlp_ratio
        self.residual_init = residual_init
        common = {"dtype": self.dtype_policy}
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name="norm", **common
        )
        self.generator = None
        if knowledge in ("cmi", "conv"):
            self.generator = CrossModalInteraction(
                mlp_ratio, local=knowledge == "conv", name="cmi", **common
            )
        self.transformer = KnowledgeSupportedTransformer(
            heads, ffn, mlp_ratio, residual_init, name="gkst", **common
        )

    def build(self, input_shape):
        self.norm.build(input_shape)
        if self.generator is not None:
            self.generator.build(input_shape)
        self.transformer.build(input_shape)

    def call(self, tokens):
        normalized = self.norm(tokens)
        knowledge = normalized
        if self.generator is not None:
            knowledge = self.generator(normalized)  # Eq. 3
        enhanced = self.transformer(normalized, knowledge)  # Eq. 4 to 6
        return enhanced, normalized, knowledge

    def compute_output_shape(self, input_shape):
        return input_shape, input_shape, input_shape
