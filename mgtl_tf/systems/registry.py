"""Name to system: the one place where a new system is registered."""

from __future__ import annotations

import keras

from mgtl_tf.config import ModelConfig
from mgtl_tf.systems.l2ltr import LayerToLayerTransformer
from mgtl_tf.systems.mgtl import MutualGenerativeTransformer
from mgtl_tf.systems.safa import SpatialAwareAggregation

SYSTEMS: dict[str, type[keras.Model]] = {
    "mgtl": MutualGenerativeTransformer,
    "safa": SpatialAwareAggregation,
    "l2ltr": LayerToLayerTransformer,
}


def build_model(
    config: ModelConfig | None = None, dtype: str | None = None
) -> keras.Model:
    """The built model of a config, with freshly initialised weights.

    Args:
        config: which system, and its fields; the paper's MGTL by default.
        dtype: Keras dtype policy; the global policy by default.

    Returns:
        A model with `encode_ground(images)` and `encode_satellite(images)`,
        RGB 0..255 [B, H, W, 3] to unit vectors [B, D], and a call on
        {"ground", "satellite"} that also gives what the loss needs.
    """
    config = config or ModelConfig()
    model = SYSTEMS[config.system](config, dtype=dtype)
    image = (None, *config.image_size, 3)
    model.build({"ground": image, "satellite": image})
    return model
