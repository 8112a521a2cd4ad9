"""Descriptors of an MGTL whose attention reads other knowledge than its own.

For experiments: what would change if the knowledge were perfect, or wrong.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.models.cross_view_model import unit_vectors
from mgtl_tf.utils.errors import UserError


class ExchangedKnowledge:
    """Encodes pairs together.

    With "true" knowledge attention reads the other view's own tokens, which
    is what CMI should have generated (Eq. 8). A descriptor then depends on
    both images of a pair, so that no gallery could be built of it: its recall
    bounds what knowledge can give. With "shuffled" it reads what CMI
    generated of another pair of the batch.

    Args:
        model: an MGTL with CMI and at least one step.
        knowledge: one of `protocols.KNOWLEDGE`.

    Raises:
        UserError: for a model that generates no knowledge.
    """

    def __init__(self, model: keras.Model, knowledge: str):
        if not model.config.generates_knowledge:
            raise UserError(
                f"knowledge={knowledge}: this model generates none; only mgtl"
                " with knowledge=cmi or conv does"
            )
        self.model = model
        self.knowledge = knowledge

    def __call__(
        self, ground: Any, satellite: Any, first_block: int = 0
    ) -> tuple[Any, Any]:
        """Descriptors of B pairs.

        Args:
            ground, satellite: [B, H, W, 3] RGB 0..255.
            first_block: of the model.

        Returns:
            unit vectors [B, D] of both views, float32.
        """
        model, tokens = self.model, {}
        for view, images in zip(VIEWS, (ground, satellite), strict=True):
            features = model.features(
                images, view=view, training=False, first_block=first_block
            )
            tokens[view] = model.encoding(features)  # Eq. 2
        steps = zip(model.ground_steps, model.satellite_steps, strict=True)
        for pair in steps:
            tokens = self._step(dict(zip(VIEWS, pair, strict=True)), tokens)
        norms = model.ground_norm, model.satellite_norm
        ground, satellite = (
            unit_vectors(norm(tokens[view]))
            for view, norm in zip(VIEWS, norms, strict=True)
        )
        return ground, satellite

    def _step(self, steps, tokens):
        """Eq. 3 to 6 of both views."""
        normalized = {v: steps[v].norm(tokens[v]) for v in VIEWS}
        knowledge = {v: self._read(steps[v], normalized, v) for v in VIEWS}
        return {
            v: steps[v].transformer(normalized[v], knowledge[v]) for v in VIEWS
        }

    def _read(self, step, normalized, view):
        if self.knowledge == "true":
            return normalized[VIEWS[1 - VIEWS.index(view)]]
        return ops.roll(step.generator(normalized[view]), 1, axis=0)
