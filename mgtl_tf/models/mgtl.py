"""MGTL: Mutual Generative Transformer Learning, and its ablations."""

from __future__ import annotations

import keras

from mgtl_tf.config import ModelConfig
from mgtl_tf.layers.cross_modal_interaction import CrossModalInteraction
from mgtl_tf.layers.knowledge_supported_transformer import (
    KnowledgeSupportedTransformer,
)
from mgtl_tf.layers.modality_independent_features import (
    VIEWS,
    ModalityIndependentFeatures,
)
from mgtl_tf.layers.positional_encoding import PositionalEncoding
from mgtl_tf.models.configured_model import ConfiguredModel
from mgtl_tf.models.two_views import unit_vectors


@keras.saving.register_keras_serializable("mgtl_tf")
class MutualGenerativeTransformer(ConfiguredModel):
    """The whole network of section 2.2 (R1 to R12).

    Per view: tokens F* = MIFE(I) (Eq. 1), F^ = F* + PE (Eq. 2); then L steps
    of F_norm = LN(F), knowledge = CMI(F_norm) (Eq. 3), F = GKST(F_norm,
    knowledge) (Eq. 4 to 6), each step and view with weights of its own
    (R10); a final LN; the tokens flattened and scaled to unit length (R11).
    The two views meet only in the loss, so each descriptor depends on its
    own image alone (R12).

    Args:
        config: `ModelConfig`; `recurrent_steps=0` is the backbone alone.

    Call arguments:
        inputs: {"ground": [B, H, W, 3], "satellite": [B, H, W, 3]}, RGB
            0..255, the satellite images polar-transformed.
        training: whether dropout acts and batch statistics are used.

    Output:
        {"ground": [B, D], "satellite": [B, D]} unit vectors, float32, and
        "generated", "targets": lists of equal length, knowledge [B, T, C]
        and the tokens it should equal (Eq. 8), empty without CMI.
    """

    def __init__(self, config: ModelConfig, **kwargs):
        super().__init__(config, **kwargs)
        self.features = ModalityIndependentFeatures(
            config.channels if config.recurrent_steps else None,
            config.width_multiplier,
            config.poolings,
            config.backbone_normalization,
            config.backbone_dropout,
            config.rematerialize,
            name="features",
            dtype=self.dtype_policy,
        )
        self.encoding = PositionalEncoding(
            name="encoding", dtype=self.dtype_policy
        )
        steps = range(config.recurrent_steps)
        # Views by steps: every step of a view has layers of its own (R10).
        self.norms = {v: [self._norm(v, i) for i in steps] for v in VIEWS}
        self.generators = {v: [self._cmi(v, i) for i in steps] for v in VIEWS}
        self.transformers = {
            v: [self._gkst(v, i) for i in steps] for v in VIEWS
        }
        # "VGG16 only" has no norm: only the backbones are counted (R11b).
        final = VIEWS if config.recurrent_steps else ()
        self.final_norms = {v: self._norm(v, "final") for v in final}

    def _norm(self, view, step):
        return keras.layers.LayerNormalization(
            epsilon=1e-6, name=f"{view}_norm_{step}", dtype=self.dtype_policy
        )

    def _cmi(self, view, step):
        if self.config.knowledge == "none":
            return None
        return CrossModalInteraction(
            self.config.mlp_ratio,
            local=self.config.knowledge == "conv",
            name=f"{view}_cmi_{step}",
            dtype=self.dtype_policy,
        )

    def _gkst(self, view, step):
        return KnowledgeSupportedTransformer(
            self.config.heads,
            self.config.ffn,
            self.config.mlp_ratio,
            self.config.residual_init,
            name=f"{view}_gkst_{step}",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        """Builds every layer; no image is needed."""
        image = input_shape["ground"]
        self.features.build(image)
        if not self.config.recurrent_steps:
            return
        tokens = self.features.compute_output_shape(image)
        self.encoding.build(tokens)
        for view in VIEWS:
            for norm, generator, transformer in self._steps(view):
                norm.build(tokens)
                if generator is not None:
                    generator.build(tokens)
                transformer.build(tokens, tokens)
            self.final_norms[view].build(tokens)

    def _steps(self, view):
        return zip(
            self.norms[view],
            self.generators[view],
            self.transformers[view],
            strict=True,
        )

    @property
    def backbones(self):
        """Both VGG16Features, which pretrained weights may start."""
        return [self.features.branches[view] for view in VIEWS]

    @property
    def parts(self):
        """Names to layers, for counts by part (Table 2)."""
        branches = self.features.branches
        shared = [self.features.compact] if self.features.compact else []
        return {
            **{f"{v} backbone (MIFE)": [branches[v]] for v in VIEWS},
            "shared map (MIFE)": shared,
            **{f"{v} CMI": [g for g in self.generators[v] if g] for v in VIEWS},
            **{f"{v} GKST": self.transformers[v] for v in VIEWS},
            **{
                f"{v} norms": [*self.norms[v], *self._final_norm(v)]
                for v in VIEWS
            },
        }

    def _final_norm(self, view):
        return [self.final_norms[view]] if self.final_norms else []

    def encode_ground(self, images):
        """Descriptors of panoramas: [B, H, W, 3] RGB 0..255 to [B, D]."""
        return self._encode(images, "ground", training=False)[0]

    def encode_satellite(self, images):
        """Descriptors of polar-transformed satellite images, [B, D]."""
        return self._encode(images, "satellite", training=False)[0]

    def call(self, inputs, training=None):
        """Both descriptors, and what the generative loss compares."""
        ground, ground_tokens, satellite_knowledge = self._encode(
            inputs["ground"], "ground", training
        )
        satellite, satellite_tokens, ground_knowledge = self._encode(
            inputs["satellite"], "satellite", training
        )
        generates = bool(satellite_knowledge)
        return {
            "ground": ground,
            "satellite": satellite,
            "generated": ground_knowledge + satellite_knowledge,
            "targets": (ground_tokens + satellite_tokens if generates else []),
        }

    def _encode(self, images, view, training):
        """Descriptor, normalised tokens and knowledge of every step."""
        tokens = self.features(images, view=view, training=training)
        if not self.config.recurrent_steps:
            return unit_vectors(tokens), [], []
        steps = list(self._walk(self.encoding(tokens), view))  # Eq. 2
        inputs = [normalized for normalized, _, _ in steps]
        generates = self.config.knowledge != "none"
        knowledge = [source for _, source, _ in steps] if generates else []
        return self._stop(steps[-1][2], view), inputs, knowledge

    def _walk(self, tokens, view):
        """(normalised tokens, knowledge, tokens) of every step."""
        for norm, generator, transformer in self._steps(view):
            normalized = norm(tokens)
            source = normalized
            if generator is not None:
                source = generator(normalized)  # Eq. 3
            tokens = transformer(normalized, source)  # Eq. 4 to 6
            yield normalized, source, tokens

    def _stop(self, tokens, view):
        """The descriptor [B, D] of the tokens [B, T, C] after a step."""
        return unit_vectors(self.final_norms[view](tokens))

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
        features = self.features(images, view=view, training=False)
        if not self.config.recurrent_steps:
            return []
        walked = self._walk(self.encoding(features), view)
        found = []
        for transformer, step in zip(
            self.transformers[view], walked, strict=True
        ):
            normalized, source, tokens = step
            found.append(
                {
                    "tokens": normalized,
                    "knowledge": source,
                    "attention": transformer.attention_weights(
                        normalized, source
                    ),
                    "descriptor": self._stop(tokens, view),
                }
            )
        return found
