"""The model from decoded pixels on, for formats that decode no JPEG."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.preprocess_graph import ground_images, satellite_images

PIXELS = tf.TensorSpec([None, None, None, 3], tf.uint8, "image")
"""What each takes: RGB 0..255 [B, h, w, 3], of any size, one a batch."""


def pixel_encoders(
    model: keras.Model, run_config: RunConfig
) -> dict[str, Callable]:
    """The SavedModel's two signatures, less the decoding of files.

    Args:
        model: of `build_model(run_config.model)`, in float32.
        run_config: its image size and crop become part of the graph.

    Returns:
        `encode_ground` and `encode_satellite`: tf.functions from PIXELS to
        {"descriptor": float32 [B, D]}. Panoramas are taken whole: the crop,
        the change of size and the polar transform are inside.
    """
    size = run_config.model.image_size
    crop = run_config.data.ground_crop

    @tf.function(input_signature=[PIXELS], autograph=False)
    def encode_ground(image):
        return _named(model.encode_ground(ground_images(image, size, crop)))

    @tf.function(input_signature=[PIXELS], autograph=False)
    def encode_satellite(image):
        return _named(model.encode_satellite(satellite_images(image, size)))

    return {
        "encode_ground": encode_ground,
        "encode_satellite": encode_satellite,
    }


def _named(descriptors: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"descriptor": tf.cast(descriptors, tf.float32)}
