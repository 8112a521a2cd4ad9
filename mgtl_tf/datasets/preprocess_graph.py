"""preprocess.py in TensorFlow operations, for the SavedModel.

Same steps, same rounding: what `load_ground` and `load_satellite` read from
a file, these read from its bytes, within one grey level. Image sizes are
dynamic; nothing outside TensorFlow is needed when the graph runs. All that
follows the decoder is made of operations that ONNX and TFLite have as well.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from mgtl_tf.datasets.label_maps import COLOURS
from mgtl_tf.datasets.panorama_shape import WHOLE, is_sphere, kept_rows
from polar import PolarTransform

MOST_ROWS = 2**14
"""Height of the highest panorama that is taken, pixels."""


def decode(image_bytes: tf.Tensor) -> tf.Tensor:
    """uint8 RGB [height, width, 3] of one JPEG or PNG, string scalar.

    Raises:
        tf.errors.InvalidArgumentError: where the bytes are no complete image.
    """
    # Unlike decode_image this operation lets us choose the accurate inverse
    # transform, OpenCV's own: both then decode a JPEG to equal pixels. It
    # reads PNG as well.
    image = tf.io.decode_jpeg(
        image_bytes, channels=3, dct_method="INTEGER_ACCURATE"
    )
    # It does not refuse WebP, and gives it a shape of its own.
    return tf.ensure_shape(image, (None, None, 3))


def ground_image(
    image_bytes: tf.Tensor,
    image_size: tuple[int, int],
    ground_crop: tuple[float, float],
    form: str = "image",
    sphere_crop: tuple[float, float] | None = None,
) -> tf.Tensor:
    """Network input of one encoded panorama: float32 RGB 0..255 [H, W, 3].

    Args:
        image_bytes: string scalar.
        image_size: (H, W).
        ground_crop: top and bottom of the kept rows, fractions of height.
        form: image, or labels: the image is a label map.
        sphere_crop: the same of full spheres (2:1); by default no other.
    """
    image = decode(image_bytes)[None]
    return ground_images(image, image_size, ground_crop, form, sphere_crop)[0]


def ground_images(
    images: tf.Tensor,
    image_size: tuple[int, int],
    ground_crop: tuple[float, float],
    form: str = "image",
    sphere_crop: tuple[float, float] | None = None,
) -> tf.Tensor:
    """Network inputs of panoramas of one size, float32 RGB [B, H, W, 3].

    Args:
        images: uint8 [B, h, w, 3], h at most MOST_ROWS.
        image_size, ground_crop, form, sphere_crop: as of `ground_image`.
    """
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    rows = _kept_rows(height, ground_crop)
    if sphere_crop not in (None, ground_crop):
        of_sphere = _kept_rows(height, sphere_crop)
        rows = tf.where(is_sphere(height, width), of_sphere, rows)
    images = images[:, rows[0] : rows[1]]
    if form == "labels":
        images = tf.gather(COLOURS, tf.cast(images[..., 0], tf.int32))
    return resize(images, image_size)


def _kept_rows(height: tf.Tensor, crop: tuple[float, float]) -> tf.Tensor:
    """The first of the rows that a crop keeps, and the one after the last."""
    if crop == WHOLE:
        return tf.stack([0, height])
    # A table, so that Python's own rounding in float64 decides which rows
    # are kept wherever the graph runs.
    kept = [kept_rows(n, crop) for n in range(MOST_ROWS + 1)]
    table = np.array([(rows.start, rows.stop) for rows in kept], np.int32)
    return tf.gather(tf.constant(table), height)


def satellite_image(
    image_bytes: tf.Tensor, image_size: tuple[int, int], form: str = "polar"
) -> tf.Tensor:
    """Network input of one encoded aerial image, float32 RGB [H, W, 3].

    Args:
        image_bytes: string scalar; a square image, north up.
        image_size: (H, W) of the network input.
        form: polar (transformed), or square (resized).

    Raises:
        tf.errors.InvalidArgumentError: where the image is not square.
    """
    image = decode(image_bytes)
    sides = tf.shape(image)[:2]
    message = tf.strings.format(
        "an aerial image must be square, not {} x {}", (sides[0], sides[1])
    )
    square = tf.debugging.Assert(tf.equal(sides[0], sides[1]), [message])
    with tf.control_dependencies([square]):
        image = tf.identity(image)
    return satellite_images(image[None], image_size, form)[0]


def satellite_images(
    images: tf.Tensor, image_size: tuple[int, int], form: str = "polar"
) -> tf.Tensor:
    """Network inputs of aerial images of one size, float32 [B, H, W, 3].

    Args:
        images: uint8 [B, S, S, 3], north up.
        image_size, form: as of `satellite_image`.
    """
    if form == "square":
        # As in PolarTransform: of an oblong image, pixels are asked for that
        # it lacks, which every runtime refuses.
        every = tf.range(tf.reduce_max(tf.shape(images)[1:3]))
        images = tf.gather(tf.gather(images, every, axis=1), every, axis=2)
        return resize(images, image_size)
    return _rounded(PolarTransform(*image_size)(images))


def resize(images: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """uint8 [B, h, w, 3] to float32 [B, H, W, 3], whole grey levels.

    Each axis by its own rule: the mean over the covered pixels where it
    shrinks, linear between half-pixel centres where it grows.
    """
    height, width = image_size
    shape = tf.shape(images)
    count, old_height, old_width = shape[0], shape[1], shape[2]
    rows = _axis_weights(old_height, height)  # [H, h]
    columns = _axis_weights(old_width, width)  # [W, w]
    images = tf.reshape(
        tf.cast(images, tf.float32), (count, old_height, old_width * 3)
    )
    images = tf.matmul(rows[None], images)  # [B, H, w * 3]
    # As OpenCV does on uint8 images: rounded once where both axes shrink,
    # which is one step there, else after each axis.
    smaller = (old_height >= height) & (old_width >= width)
    images = tf.where(smaller, images, _rounded(images))
    images = tf.reshape(images, (count * height, old_width, 3))
    images = _rounded(tf.matmul(columns[None], images))
    return tf.reshape(images, (count, height, width, 3))


def _axis_weights(length: tf.Tensor, size: int) -> tf.Tensor:
    """How much each of `length` pixels counts in each of `size`, [size, n]."""
    # In whole numbers: 1/616 in float32 drifts by a grey level at the far
    # end, and TFLite has no float64.
    pixel = tf.range(length)[None]
    target = tf.range(size)[:, None]
    covered = tf.minimum((pixel + 1) * size, (target + 1) * length)
    covered -= tf.maximum(pixel * size, target * length)
    # Twice `size` times the position of the target's centre, and of pixels.
    centre = (2 * target + 1) * length - size
    centre = tf.clip_by_value(centre, 0, 2 * size * (length - 1))
    distance = tf.abs(2 * size * pixel - centre)
    shares = tf.where(
        length > size,
        tf.cast(covered, tf.float32) / tf.cast(length, tf.float32),
        1 - tf.cast(distance, tf.float32) / (2 * size),
    )
    return tf.maximum(shares, 0)


def _rounded(image: tf.Tensor) -> tf.Tensor:
    """Whole grey levels, as the uint8 files that training reads."""
    return tf.clip_by_value(tf.round(image), 0, 255)
