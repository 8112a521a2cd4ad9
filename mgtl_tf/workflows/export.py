"""Exporting a trained run."""

from __future__ import annotations

from pathlib import Path

import keras

from mgtl_tf.config import RunConfig
from mgtl_tf.export import export_model
from mgtl_tf.folders import MODEL_JSON
from mgtl_tf.folders import require_replaceable
from mgtl_tf.systems import build_model
from mgtl_tf.training.checkpoint import load_model


def export_run(
    run_dir: Path | str, output_dir: Path | str, checkpoint: str = "best"
) -> Path:
    """A run's checkpoint as a SavedModel.

    Args:
        run_dir: what experiments.train wrote.
        output_dir: a new or empty folder, or an older export.
        checkpoint: "best" or "last".

    Returns:
        The folder of the SavedModel.

    Raises:
        UserError: for a run without checkpoint, or a folder in use.
    """
    require_replaceable(output_dir, MODEL_JSON)
    config, model = load_model(run_dir, checkpoint)
    return export_model(_in_float32(config, model), config, output_dir)


def _in_float32(config: RunConfig, model: keras.Model) -> keras.Model:
    """The same weights computing in float32, as the signatures promise.

    A model trained in bfloat16 would otherwise need a machine that has it.
    """
    if config.train.dtype_policy == "float32":
        return model
    twin = build_model(config.model, "float32")
    twin.set_weights(model.get_weights())
    return twin
