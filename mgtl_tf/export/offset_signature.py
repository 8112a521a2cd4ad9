"""Descriptors of both views to a point in the aerial image, as a graph."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from mgtl_tf.config import InputForm
from mgtl_tf.datasets.sources import VIEWS


def offset_predictor(model: keras.Model, form: InputForm) -> Callable:
    """The signature of a model's offset head.

    Args:
        model: with an offset head.
        form: of the network's inputs.

    Returns:
        A tf.function of descriptors `ground` and `satellite`, float32 [B, D]:
        to `offset`, float32 [B, 2], where the panorama stands, east and north
        of the aerial image's centre, in sides of the image, and to
        `expected_error`, float32 [B], in sides, 0 where it was not measured.
    """
    vectors = []
    for view in VIEWS:
        encode = getattr(model, f"encode_{view}")
        size = encode(tf.zeros((1, *form.size(view), 3))).shape[-1]
        vectors.append(tf.TensorSpec((None, size), tf.float32, view))

    @tf.function(input_signature=vectors, autograph=False)
    def predict_offset(ground, satellite):
        south, west = tf.unstack(
            model.predict_offsets(ground, satellite), axis=1
        )
        error = tf.cast(model.offset_head.expected_error, tf.float32)
        return {
            "offset": tf.stack([-west, -south], axis=1) / 2,  # of half sides
            "expected_error": tf.fill(tf.shape(west), error),
        }

    return predict_offset
