"""TFLite (LiteRT): one file with both signatures."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf.utils.plain_path import as_os_errors, plain_path

TFLITE = "model.tflite"


def write_tflite(
    model: keras.Model,
    encoders: dict[str, Callable],
    folder: Path,
    metadata: dict[str, str],
) -> dict[str, str]:
    """Writes model.tflite, whose signatures are the encoders.

    Args:
        model: whose weights the encoders read; they end up in the file.
        encoders: of `pixel_encoders`.
        folder: where.
        metadata: unused: such files have no place for text.

    Returns:
        The file's name, by the encoders'.
    """
    del metadata
    with (
        tempfile.TemporaryDirectory() as between,
        plain_path(between) as plain,
        as_os_errors(),
    ):
        module = tf.Module()
        # TensorFlow's own variables become constants of the file; Keras'
        # around them would be read, unfilled, when it runs.
        module.weights = [weight.value for weight in model.descriptor_weights]
        module.encoders = encoders
        tf.saved_model.save(module, str(plain), signatures=encoders)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(plain), signature_keys=list(encoders)
        )
        (folder / TFLITE).write_bytes(converter.convert())
    return dict.fromkeys(encoders, TFLITE)


def open_tflite(path: Path, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """A file's encoder, run by LiteRT on the processor.

    Args:
        path: what `write_tflite` wrote.
        name: of the encoder, "encode_ground" or "encode_satellite".

    Returns:
        From RGB uint8 [B, h, w, 3] to descriptors, float32 [B, D].
    """
    from ai_edge_litert.interpreter import Interpreter

    with plain_path(path) as plain:
        runner = Interpreter(model_path=str(plain)).get_signature_runner(name)
    return lambda pixels: runner(image=pixels)["descriptor"]
