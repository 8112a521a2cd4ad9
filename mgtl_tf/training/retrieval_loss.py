"""Which loss draws true pairs together and wrong ones apart."""

from __future__ import annotations

from typing import Any

from mgtl_tf import losses
from mgtl_tf.config import TrainConfig

LOSS_NAMES = {"triplet": "triplet_loss", "info_nce": "info_nce_loss"}
"""A config's `loss` to the name that it is logged under."""


def retrieval_loss(
    ground: Any, satellite: Any, negatives: Any, config: TrainConfig
) -> tuple[str, Any]:
    """The config's loss of descriptors: its logged name, float32 scalar.

    Args:
        ground, satellite: unit descriptors [B, D] of the global batch.
        negatives: bool [B, B], True where a pair may be a negative (R15).
        config: `loss` and its settings.
    """
    if config.loss == "info_nce":
        value = losses.info_nce_loss(
            ground,
            satellite,
            temperature=config.temperature,
            label_smoothing=config.label_smoothing,
            negatives=negatives,
        )
    else:
        value = losses.soft_margin_triplet_loss(
            ground,
            satellite,
            gamma=config.gamma,
            negatives=negatives,
            hard_negatives_per_query=config.hard_negatives_per_query or None,
            distance=config.distance,
        )
    return LOSS_NAMES[config.loss], value
