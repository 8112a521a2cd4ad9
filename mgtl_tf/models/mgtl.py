"""MGTL: Mutual Generative Transformer Learning, and its ablations."""

from __future__ import annotations

import keras

from mgtl_tf.config import ModelConfig
from mgtl_tf.layers.cross_modal_interaction import CrossModalInteraction
from mgtl_tf.layers.knowledge_supported_transformer import (
    KnowledgeSupportedTransformer,
)
from mgtl_tf.layers.modality_independent_features import (
    ModalityIndependentFeatures,
)
from mgtl_tf.layers.positional_encoding import PositionalEncoding
from mgtl_tf.models.cross_view_model import (
    CrossViewModel,
    unit_vectors,
    vgg16_arguments,
)


@keras.saving.register_keras_serializable("mgtl_tf")
class RecurrentStep(keras.layers.Layer):
    """One step of one view: LN, CMI and GKST (Eq. 3 to 6).

    Args:
        knowledge: "cmi", "none" (attention reads the tokens themselves) or
            "conv" (local generators).
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
        if knowledge != "none":
            self.generator = CrossModalInteraction(
                mlp_ratio, local=knowledge == "conv", name="cmi", **common
            )
        self.transformer = KnowledgeSupportedTransformer(
            heads, ffn, mlp_ratio, residual_init, name="gkst", **common
        )

    def build(self, input_shape):
        """Builds the three layers for [B, T, C]."""
        self.norm.build(input_shape)
        if self.generator is not None:
            self.generator.build(input_shape)
        self.transformer.build(input_shape, input_shape)

    def call(self, tokens):
        """(tokens, normalised tokens, knowledge)."""
        normalized = self.norm(tokens)
        knowledge = normalized
        if self.generator is not None:
            knowledge = self.generator(normalized)  # Eq. 3
        enhanced = self.transformer(normalized, knowledge)  # Eq. 4 to 6
        return enhanced, normalized, knowledge

    def compute_output_shape(self, input_shape):
        """Three times the input's."""
        return input_shape, input_shape, input_shape

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "knowledge": self.knowledge,
            "heads": self.heads,
            "ffn": self.ffn,
            "mlp_ratio": self.mlp_ratio,
            "residual_init": self.residual_init,
        }


@keras.saving.register_keras_serializable("mgtl_tf")
class MutualGenerativeTransformer(CrossViewModel):
    """The whole network of section 2.2 (R1 to R12).

    Per view: tokens F* = MIFE(I) (Eq. 1), F^ = F* + PE (Eq. 2); then L steps
    of F_norm = LN(F), knowledge = CMI(F_norm) (Eq. 3), F = GKST(F_norm,
    knowledge) (Eq. 4 to 6), each step and view with weights of its own
    (R10); a final LN; the tokens flattened and scaled to unit length (R11).
    The two views meet only in the loss, so each descriptor depends on its
    own image alone (R12).

    Args:
        config: `ModelConfig`; `recurrent_steps=0` is the backbone alone.
        **kwargs: as of CrossViewModel.

    Call arguments:
        inputs: {"ground": [B, H, W, 3], "satellite": [B, H, W, 3]}, RGB
            0..255, the satellite images polar-transformed.
        training: whether dropout acts and batch statistics are used.

    Output:
        {"ground": [B, D], "satellite": [B, D]} unit vectors, float32, and
        "generated", "targets": lists of equal length, knowledge [B, T, C]
        and the tokens it should equal (Eq. 8), empty without CMI.
    """

    def __init__(self, config: ModelConfig | None = None, **kwargs):
        super().__init__(config, **kwargs)
        config = self.config
        self.features = ModalityIndependentFeatures(
            config.channels if config.recurrent_steps else None,
            vgg16_arguments(config),
            name="features",
            dtype=self.dtype_policy,
        )
        self.encoding = PositionalEncoding(
            name="encoding", dtype=self.dtype_policy
        )
        # Every step of a view has layers of its own (R10).
        self.ground_steps = self._recurrent_steps("ground")
        self.satellite_steps = self._recurrent_steps("satellite")
        # "VGG16 only" has no norm: only the backbones are counted (R11b).
        self.ground_norm, self.satellite_norm = None, None
        if config.recurrent_steps:
            self.ground_norm = self._final_norm("ground")
            self.satellite_norm = self._final_norm("satellite")

    def _recurrent_steps(self, view):
        config = self.config
        return [
            RecurrentStep(
                config.knowledge,
                config.heads,
                config.ffn,
                config.mlp_ratio,
                config.residual_init,
                name=f"{view}_step_{number}",
                dtype=self.dtype_policy,
            )
            for number in range(config.recurrent_steps)
        ]

    def _final_norm(self, view):
        return keras.layers.LayerNormalization(
            epsilon=1e-6, name=f"{view}_norm", dtype=self.dtype_policy
        )

    def _layers_of(self, view):
        """The steps and the final norm of a view."""
        if view == "ground":
            return self.ground_steps, self.ground_norm
        return self.satellite_steps, self.satellite_norm

    def build(self, input_shape):
        """Builds every layer; no image is needed."""
        image = input_shape["ground"]
        self.features.build(image)
        if not self.config.recurrent_steps:
            return
        tokens = self.features.compute_output_shape(image)
        self.encoding.build(tokens)
        for layer in (
            *self.ground_steps,
            self.ground_norm,
            *self.satellite_steps,
            self.satellite_norm,
        ):
            layer.build(tokens)

    @property
    def backbones(self):
        """Both VGG16Features, which pretrained weights may start."""
        return [self.features.ground, self.features.satellite]

    @property
    def parts(self):
        """Names to layers, for counts by part (Table 2)."""
        compact = self.features.compact
        found = {
            "ground backbone (MIFE)": [self.features.ground],
            "satellite backbone (MIFE)": [self.features.satellite],
            "shared map (MIFE)": [compact] if compact else [],
        }
        for view in ("ground", "satellite"):
            steps, norm = self._layers_of(view)
            found[f"{view} CMI"] = [s.generator for s in steps if s.generator]
            found[f"{view} GKST"] = [s.transformer for s in steps]
            found[f"{view} norms"] = [s.norm for s in steps]
            found[f"{view} norms"] += [norm] if norm else []
        return found

    def call(self, inputs, training=None):
        """Both descriptors, and what the generative loss compares."""
        ground, ground_tokens, satellite_knowledge = self._forward(
            inputs["ground"], "ground", training
        )
        satellite, satellite_tokens, ground_knowledge = self._forward(
            inputs["satellite"], "satellite", training
        )
        generates = self.config.knowledge != "none"
        return {
            "ground": ground,
            "satellite": satellite,
            "generated": (
                ground_knowledge + satellite_knowledge if generates else []
            ),
            "targets": ground_tokens + satellite_tokens if generates else [],
        }

    def _encode(self, images, view):
        return self._forward(images, view, training=False)[0]

    def _forward(self, images, view, training):
        """Descriptor, and normalised tokens and knowledge of every step."""
        tokens = self.features(images, view=view, training=training)
        if not self.config.recurrent_steps:
            return unit_vectors(tokens), [], []
        tokens = self.encoding(tokens)  # Eq. 2
        steps, norm = self._layers_of(view)
        inputs, knowledge = [], []
        for step in steps:
            tokens, normalized, source = step(tokens)
            inputs.append(normalized)
            knowledge.append(source)
        return unit_vectors(norm(tokens)), inputs, knowledge

    def compute_output_shape(self, input_shape):
        """Of both descriptors, and of the lists of Eq. 8."""
        tokens = self.features.compute_output_shape(input_shape["ground"])
        steps = self.config.recurrent_steps
        count = 2 * steps if self.config.knowledge != "none" else 0
        descriptor = (tokens[0], tokens[1] * tokens[2])
        return {
            "ground": descriptor,
            "satellite": descriptor,
            "generated": [tokens] * count,
            "targets": [tokens] * count,
        }

    def trace(self, images, view):
        """What each recurrent step of a view takes and gives (Eq. 3 to 6).

        Args:
            images: [B, H, W, 3] RGB 0..255, of that view.
            view: "ground" or "satellite".

        Returns:
            a dict a step, none for L = 0: "tokens", the normalised tokens
            [B, T, C] that it begins with; "knowledge", what its transformer
            attends to [B, T, C] (the tokens themselves without CMI);
            "attention", float32 [B, heads, T, T'] over that knowledge;
            "descriptor", unit vectors [B, D] when the recurrence stops there.
        """
        if not self.config.recurrent_steps:
            return []
        features = self.features(images, view=view, training=False)
        tokens = self.encoding(features)
        steps, norm = self._layers_of(view)
        found = []
        for step in steps:
            tokens, normalized, source = step(tokens)
            weights = step.transformer.attention_weights(normalized, source)
            found.append(
                {
                    "tokens": normalized,
                    "knowledge": source,
                    "attention": weights,
                    "descriptor": unit_vectors(norm(tokens)),
                }
            )
        return found
