"""Exporting a trained run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.preprocess import read_image, read_panorama
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.export.formats import SAVED_MODEL, require_formats
from mgtl_tf.export.model_folder import read_details
from mgtl_tf.export.packed_model import write_packed
from mgtl_tf.export.saved_model import export_model
from mgtl_tf.models import build_model
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.utils.atomic_folders import require_replaceable
from mgtl_tf.utils.atomic_io import MODEL_JSON
from mgtl_tf.utils.errors import UserError

_REAL_PAIRS = 2


def export_run(
    run_dir: Path | str,
    output_dir: Path | str,
    checkpoint: str = "best",
    formats: Sequence[str] = (SAVED_MODEL,),
    packed: Path | str | None = None,
) -> Path:
    """A run's checkpoint as a SavedModel.

    Args:
        run_dir: what experiments.train wrote.
        output_dir: a new or empty folder, or an older export.
        checkpoint: "best" or "last".
        formats: what to write beside the SavedModel: "onnx", "tflite". Each
            is compared with it, on the run's own images too where the data
            set is still there.
        packed: also write the model as one file in half precision, which
            stands for an export wherever a model is asked for.

    Returns:
        The folder of the SavedModel.

    Raises:
        UserError: for a run without checkpoint, a folder in use, or a
            format that cannot be written or differs.
    """
    require_replaceable(output_dir, MODEL_JSON)
    require_formats(formats)
    config, model = load_model(run_dir, checkpoint)
    model = _in_float32(config, model)
    pictures = _pictures(config) if set(formats) - {SAVED_MODEL} else []
    if packed is not None:
        write_packed(model, config, packed)
    return export_model(model, config, output_dir, formats, pictures)


def format_lines(folder: Path) -> list[str]:
    """What to tell of the formats beside a SavedModel, a line each."""
    details = read_details(folder)
    lines = []
    for name, written in details["formats"].items():
        files = ", ".join(sorted(set(written["files"].values())))
        images = sum(written["images"].values())
        points = written.get("largest_offset_difference")
        beside = "" if points is None else f", points by {points:.1e} of a side"
        lines.append(
            f"{name}: {files}; of {images} images the descriptors differ by"
            f" at most {written['largest_difference']:.1e}{beside}"
            f" (allowed: {written['bound']:.0e})"
        )
    return lines


def _pictures(config: RunConfig) -> list[tuple[np.ndarray, np.ndarray]]:
    """A few pairs of the run's data set, as pixels; none where it is gone."""
    try:
        dataset = read_dataset(
            config.data.dataset,
            config.data.data_dir,
            [],
            config.data.reader_options,
        )
        return [
            (read_panorama(pair.ground).pixels, read_image(pair.aerial))
            for pair in dataset.validation[:_REAL_PAIRS]
        ]
    except UserError:
        return []


def _in_float32(config: RunConfig, model: keras.Model) -> keras.Model:
    """The same weights computing in float32, as the signatures promise.

    A model trained in bfloat16 would otherwise need a machine that has it.
    """
    if config.train.dtype_policy == "float32":
        return model
    twin = build_model(config.model, "float32")
    twin.set_weights(model.get_weights())
    return twin
