"""Descriptors of an MGTL whose attention reads other knowledge than its own.

For experiments: what would change if the knowledge were perfect, or wrong.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.models.paired_recurrence import (
    other_views_tokens,
    paired_descriptors,
)
from mgtl_tf.utils.errors import UserError


class ExchangedKnowledge:
    """Encodes pairs together.

    With "true" knowledge attention reads the other view's own tokens, which
    is what CMI should have generated (Eq. 8). A descriptor then depends on
    both images of a pair, so that no gallery could be built of it: its recall
    bounds what knowledge can give. With "shuffled" it reads what CMI
    generated of another pair of the batch, which must hold two or more.

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
        views = dict(zip(VIEWS, (ground, satellite), strict=True))
        found = paired_descriptors(
            self.model, views, _READ[self.knowledge], first_block=first_block
        )
        return found["ground"], found["satellite"]


def whole_batches(knowledge: str, size: int, pairs: int) -> int:
    """A batch size of which no batch holds one pair that has no other.

    Args:
        knowledge: one of `protocols.KNOWLEDGE`; empty: none is exchanged.
        size: `evaluation_batch_size`.
        pairs: how many there are.

    Returns:
        the size, or with "shuffled" the next that fits.

    Raises:
        UserError: where pairs would read their own knowledge as another's.
    """
    if knowledge != "shuffled":
        return size
    if size == 1 or pairs == 1:
        raise UserError(
            "knowledge=shuffled: reads that of another pair of the batch, and"
            f" evaluation_batch_size={size} and {pairs:,} pairs leave none;"
            " give 2 or more of both"
        )
    while pairs % size == 1:
        size += 1
    return size


def _of_another_pair(step, normalized, view):
    return ops.roll(step.generator(normalized[view]), 1, axis=0)


_READ = {"true": other_views_tokens, "shuffled": _of_another_pair}
