"""The twin of preprocess.py in TensorFlow operations, for the SavedModel.

Same steps, same rounding: what `load_ground` and `load_satellite` read from
a file, these read from its bytes, within one grey level. Image sizes are
dynamic; nothing outside TensorFlow is needed when the graph runs.
"""

from __future__ import annotations

import tensorflow as tf

from polar import PolarTransform


def decode(image_bytes: tf.Tensor) -> tf.Tensor:
    """uint8 RGB [height, width, 3] of one JPEG or PNG, string scalar.

    Raises:
        tf.errors.InvalidArgumentError: where the bytes are no whole image.
    """
    # Unlike decode_image this operation lets us choose the accurate inverse
    # transform, OpenCV's own: both then decode a JPEG to equal pixels. It
    # reads PNG as well.
    return tf.io.decode_jpeg(
        image_bytes, channels=3, dct_method="INTEGER_ACCURATE"
    )


def ground_image(
    image_bytes: tf.Tensor,
    image_size: tuple[int, int],
    ground_crop: tuple[float, float],
) -> tf.Tensor:
    """Network input of one encoded panorama: float32 RGB 0..255 [H, W, 3].

    Args:
        image_bytes: string scalar.
        image_size: (H, W).
        ground_crop: top and bottom of the kept rows, fractions of height.
    """
    image = decode(image_bytes)
    height = tf.cast(tf.shape(image)[0], tf.float64)
    top, bottom = (
        tf.cast(tf.round(fraction * height), tf.int32)
        for fraction in ground_crop
    )
    return resize(image[top : tf.maximum(bottom, top + 1)], image_size)


def satellite_image(
    image_bytes: tf.Tensor, image_size: tuple[int, int]
) -> tf.Tensor:
    """Network input of one encoded aerial image, float32 RGB [H, W, 3].

    Args:
        image_bytes: string scalar; a square image, north up.
        image_size: (H, W) of the polar image.

    Raises:
        tf.errors.InvalidArgumentError: where the image is not square.
    """
    image = decode(image_bytes)
    sides = tf.shape(image)[:2]
    message = tf.strings.format(
        "an aerial image must be square, not {} x {}",
        (sides[0], sides[1]),
    )
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.equal(sides[0], sides[1]), [message])]
    ):
        image = tf.cast(image, tf.float32)
    return _whole_levels(PolarTransform(*image_size)(image[None])[0])


def resize(image: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """uint8 [height, width, 3] to float32 [H, W, 3], whole grey levels.

    Each axis by its own rule: the mean over the covered pixels where it
    shrinks, linear between half-pixel centres where it grows.
    """
    height, width = image_size
    rows = _axis_weights(tf.shape(image)[0], height)
    columns = _axis_weights(tf.shape(image)[1], width)
    image = tf.cast(image, tf.float32)
    # As OpenCV does on uint8 images: rounded once where both axes shrink,
    # which is one step there, else after each axis.
    smaller = tf.reduce_all(tf.shape(image)[:2] >= (height, width))
    image = tf.einsum("hr,rwc->hwc", rows, image)
    image = tf.cond(smaller, lambda: image, lambda: _whole_levels(image))
    image = _whole_levels(tf.einsum("wk,hkc->hwc", columns, image))
    return tf.ensure_shape(image, (height, width, 3))


def _axis_weights(length: tf.Tensor, size: int) -> tf.Tensor:
    """How much each of `length` pixels counts in each of `size`, [size, n]."""
    # In float64: 1/616 in float32 drifts by a grey level at the far end.
    scale = tf.cast(length, tf.float64) / size
    pixel = tf.cast(tf.range(length), tf.float64)[None]
    target = tf.range(size, dtype=tf.float64)[:, None]
    covered = tf.minimum(pixel + 1, (target + 1) * scale) - tf.maximum(
        pixel, target * scale
    )
    centre = (target + 0.5) * scale - 0.5
    centre = tf.clip_by_value(centre, 0, tf.cast(length - 1, tf.float64))
    shares = tf.where(
        length > size, covered / scale, 1 - tf.abs(pixel - centre)
    )
    return tf.cast(tf.maximum(shares, 0), tf.float32)


def _whole_levels(image: tf.Tensor) -> tf.Tensor:
    # Training reads uint8 files, so the model only ever saw whole levels.
    return tf.clip_by_value(tf.round(image), 0, 255)
