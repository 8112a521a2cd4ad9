"""MGTL: Mutual Generative Transformer Learning, and its ablations."""

from __future__ import annotations

import keras

from mgtl_tf.config import ModelConfig
from mgtl_tf.layers.modality_independent_features import (
    VIEWS,
    ModalityIndependentFeatures,
)
from mgtl_tf.layers.positional_encoding import PositionalEncoding
from mgtl_tf.layers.recurrent_step import RecurrentStep
from mgtl_tf.models.backbones import vgg16_arguments
from mgtl_tf.models.cross_view_model import CrossViewModel
from mgtl_tf.models.paired_recurrence import (
    other_views_tokens,
    paired_descriptors,
)
from mgtl_tf.models.vectors import unit_vectors
from mgtl_tf.utils.errors import UserError


@keras.saving.register_keras_serializable("mgtl_tf")
class MutualGenerativeTransformer(CrossViewModel):
    """The whole network of section 2.2 (R1 to R12).

    Per view: tokens F* = MIFE(I) (Eq. 1), F^ = F* + PE (Eq. 2); then L steps
    of F_norm = LN(F), knowledge = CMI(F_norm) (Eq. 3), F = GKST(F_norm,
    knowledge) (Eq. 4 to 6), each step and view with weights of its own
    (R10); a final LN; the tokens flattened and scaled to unit length (R11).
    The two views meet only in the loss, so each descriptor depends on its
    own image alone (R12). `recurrent_steps=0` is the backbone alone. With
    `knowledge="true"`, an experiment, attention reads the other view's tokens
    and only pairs have descriptors.
    """

    def __init__(self, config: ModelConfig | None = None, **kwargs):
        super().__init__(config, **kwargs)
        config = self.config
        self.features = self._features(
            config.channels if config.recurrent_steps else None
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

    def _features(self, channels):
        """The layer that makes tokens of a view's images (Eq. 1)."""
        return ModalityIndependentFeatures(
            channels,
            vgg16_arguments(self.config),
            name="features",
            dtype=self.dtype_policy,
        )

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

    def layers_of(self, view):
        """The steps and the final norm of a view."""
        if view == "ground":
            return self.ground_steps, self.ground_norm
        return self.satellite_steps, self.satellite_norm

    def build(self, input_shape):
        image = input_shape["ground"]
        self.features.build(image)
        if not self.config.recurrent_steps:
            return
        tokens = self.features.compute_output_shape(image)
        self.encoding.build(tokens)
        for view in VIEWS:
            steps, norm = self.layers_of(view)
            for layer in (*steps, norm):
                layer.build(tokens)

    @property
    def backbones(self):
        """Both VGG16Features."""
        return [self.features.ground, self.features.satellite]

    @property
    def _backbone_parts(self):
        return {
            "ground backbone (MIFE)": [self.features.ground],
            "satellite backbone (MIFE)": [self.features.satellite],
        }

    @property
    def parts(self):
        """Names to layers, for counts by part (Table 2)."""
        compact = self.features.compact
        found = {
            **self._backbone_parts,
            "shared map (MIFE)": [compact] if compact else [],
        }
        for view in VIEWS:
            steps, norm = self.layers_of(view)
            found[f"{view} CMI"] = [s.generator for s in steps if s.generator]
            found[f"{view} GKST"] = [s.transformer for s in steps]
            found[f"{view} norms"] = [s.norm for s in steps]
            found[f"{view} norms"] += [norm] if norm else []
        return found

    def _forward(self, images, view, training, first_block=0):
        tokens = self.features(  # Eq. 1
            images, view=view, training=training, first_block=first_block
        )
        if not self.config.recurrent_steps:
            return unit_vectors(tokens), [], []
        steps = list(self._recurrence(tokens, view))
        _, inputs, knowledge, outputs = map(list, zip(*steps, strict=True))
        descriptors = self._descriptors(outputs[-1], view)
        if not self.config.generates_knowledge:
            return descriptors, [], []
        return descriptors, inputs, knowledge

    def call(self, inputs, training=None, first_block=0):
        if not self.config.reads_both_views:
            return super().call(inputs, training, first_block)
        found = paired_descriptors(
            self, inputs, other_views_tokens, training, first_block
        )
        return {**found, "generated": [], "targets": []}

    def encode_pairs(self, ground, satellite, first_block=0):
        if not self.config.reads_both_views:
            return super().encode_pairs(ground, satellite, first_block)
        views = dict(zip(VIEWS, (ground, satellite), strict=True))
        found = self.call(views, False, first_block)
        return tuple(found[view] for view in VIEWS)

    def _recurrence(self, tokens, view):
        """Of every step: the step, its normalised tokens, knowledge, output."""
        if self.config.reads_both_views:
            raise UserError(
                "knowledge=true: its descriptors depend on both images of a"
                " pair, so that no gallery can be built; it can be trained and"
                " evaluated on pairs alone"
            )
        tokens = self.encoding(tokens)  # Eq. 2
        for step in self.layers_of(view)[0]:
            tokens, normalized, knowledge = step(tokens)
            yield step, normalized, knowledge, tokens

    def _descriptors(self, tokens, view):
        return unit_vectors(self.layers_of(view)[1](tokens))

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
        first = self.features(images, view=view, training=False)
        return [
            {
                "tokens": tokens,
                "knowledge": knowledge,
                "attention": step.transformer.attention_weights(
                    tokens, knowledge
                ),
                "descriptor": self._descriptors(output, view),
            }
            for step, tokens, knowledge, output in self._recurrence(first, view)
        ]
