"""Images with the directions of their pixels, through training's changes.

Two maps are appended after a pair's world was turned: north is then another,
and maps that kept the old one would tell by how much, from which alone the
pairs of a batch could be matched. They are appended before one view alone is
changed, so that they follow that. Those of square images are positions until
then, which can be interpolated where azimuths cannot: they jump from pi to -pi.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from mgtl_tf.utils.orientation import (
    directions_of,
    panorama_directions,
    polar_directions,
    square_positions,
)


def with_maps(images: tf.Tensor, view: str, form: str) -> tf.Tensor:
    """Float32 [B, H, W, 5] of images [B, H, W, 3].

    Args:
        images: of any dtype.
        view: "ground" or "satellite".
        form: of aerial images: polar, or square.
    """
    _, height, width, _ = images.shape
    if view == "ground":
        maps = panorama_directions(height, width)
    elif form == "polar":
        maps = polar_directions(height, width)
    else:
        maps = square_positions(height)
    batch = tf.shape(images)[0]
    maps = tf.tile(tf.constant(maps)[None], [batch, 1, 1, 1])
    return tf.concat([tf.cast(images, tf.float32), maps], axis=-1)


def with_directions(images: tf.Tensor) -> tf.Tensor:
    """The positions of square images [B, S, S, 5] as directions."""

    def convert(images: np.ndarray) -> np.ndarray:
        maps = directions_of(images[..., 3:])
        return np.concatenate([images[..., :3], maps], axis=-1)

    found = tf.numpy_function(convert, [images], tf.float32)
    return tf.ensure_shape(found, images.shape)
