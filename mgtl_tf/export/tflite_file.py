"""TFLite (LiteRT): one file with all signatures."""

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
    signatures: dict[str, Callable],
    folder: Path,
    metadata: dict[str, str],
) -> dict[str, str]:
    """Writes model.tflite.

    Args:
        model: whose weights the signatures read; they end up in the file.
        signatures: of `pixel_encoders` and `offset_predictor`.
        folder: where.
        metadata: unused: such files have no place for text.

    Returns:
        The file's name, by the signatures'.
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
        module.functions = signatures
        tf.saved_model.save(module, str(plain), signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(plain), signature_keys=list(signatures)
        )
        (folder / TFLITE).write_bytes(converter.convert())
    return dict.fromkeys(signatures, TFLITE)


def open_tflite(path: Path, name: str) -> Callable[..., dict[str, np.ndarray]]:
    """A file's signature, run by LiteRT on the processor.

    Args:
        path: what `write_tflite` wrote.
        name: of the signature.

    Returns:
        From the signature's inputs to its outputs, by name.
    """
    from ai_edge_litert.interpreter import Interpreter

    with plain_path(path) as plain:
        return Interpreter(model_path=str(plain)).get_signature_runner(name)
