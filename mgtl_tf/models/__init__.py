"""Every system of every table, behind one `build_model`."""

from __future__ import annotations

import importlib

import keras

from mgtl_tf.config import SYSTEMS, ModelConfig


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
    model = _model_class(config.form_class)(config, dtype=dtype)
    model.build(config.input_shapes)
    model.build_offset_head()
    return model


def import_systems() -> None:
    """Imports every system and, with them, every layer: Keras knows them."""
    for config in SYSTEMS.values():
        for name in config.form_classes():
            _model_class(name)


def _model_class(name: str) -> type[keras.Model]:
    module, _, name = name.rpartition(".")
    return getattr(importlib.import_module(module), name)
