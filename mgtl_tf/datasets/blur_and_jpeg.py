"""What cameras and files do to a picture: blur, and JPEG's artefacts.

Each view of a pair by itself, in graph, a function of a seed alone; parts of
a batch change to the bit as they would in the whole batch.
"""

from __future__ import annotations

import math

import tensorflow as tf

from mgtl_tf.datasets.augment import draws

# Panoramas of the field are hardly ever stored better.
_BEST_QUALITY = 95
# A Gaussian this narrow leaves every pixel as it is.
_LEAST_DEVIATION = 0.05


def blur(
    images: tf.Tensor,
    largest: float,
    seed: tf.Tensor,
    share: tuple[int, int] = (0, 1),
) -> tf.Tensor:
    """Blurs each image by a Gaussian of its own width.

    Columns are azimuths: the first is the last one's neighbour. The top and
    the bottom row go on beyond the edge.

    Args:
        images: float32 [B, H, W, 3].
        largest: of the standard deviations, pixels; they are drawn evenly
            from 0 on. The window reaches three of it.
        seed: int32 [2].
        share: as of `augment.turn_and_mirror`.

    Returns:
        float32 [B, H, W, 3].
    """
    batch, height, width = (tf.shape(images)[i] for i in range(3))
    reach = math.ceil(3 * largest)
    weights = _gaussians(batch, largest, reach, seed, share)  # [K, 3 B]
    # Images side by side as channels, or every image would need its own
    # convolution: several times as long.
    planes = tf.reshape(tf.transpose(images, [1, 2, 0, 3]), [height, width, -1])
    rows = tf.clip_by_value(tf.range(-reach, height + reach), 0, height - 1)
    columns = tf.math.floormod(tf.range(-reach, width + reach), width)
    planes = tf.gather(tf.gather(planes, rows, axis=0), columns, axis=1)[None]
    for window in (weights[:, None, :, None], weights[None, :, :, None]):
        planes = tf.nn.depthwise_conv2d(planes, window, [1, 1, 1, 1], "VALID")
    blurred = tf.reshape(planes[0], [height, width, batch, 3])
    return tf.ensure_shape(tf.transpose(blurred, [2, 0, 1, 3]), images.shape)


def jpeg(
    images: tf.Tensor,
    lowest: int,
    seed: tf.Tensor,
    share: tuple[int, int] = (0, 1),
) -> tf.Tensor:
    """Writes each image as JPEG and reads it again.

    Args:
        images: float32 [B, H, W, 3], 0..255.
        lowest: of the qualities, 1 to 95; they are drawn evenly up to 95.
        seed: int32 [2].
        share: as of `augment.turn_and_mirror`.

    Returns:
        float32 [B, H, W, 3], whole grey levels.
    """
    batch = tf.shape(images)[0]
    qualities = draws(
        (batch,), seed, lowest, _BEST_QUALITY + 1, tf.int32, share
    )

    def again(one: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        file = tf.raw_ops.EncodeJpegVariableQuality(
            images=one[0], quality=one[1]
        )
        # The accurate transform, as everywhere else in this package.
        return tf.io.decode_jpeg(
            file, channels=3, dct_method="INTEGER_ACCURATE"
        )

    levels = tf.cast(tf.clip_by_value(tf.round(images), 0, 255), tf.uint8)
    found = tf.map_fn(again, (levels, qualities), fn_output_signature=tf.uint8)
    return tf.ensure_shape(tf.cast(found, tf.float32), images.shape)


def _gaussians(
    batch: tf.Tensor,
    largest: float,
    reach: int,
    seed: tf.Tensor,
    share: tuple[int, int],
) -> tf.Tensor:
    """Weights of each image, three channels alike, float32 [K, 3 B]."""
    part, parts = share
    # All parts' weights: exponentials of fewer numbers may round otherwise.
    deviations = draws((batch * parts,), seed, 0.0, largest, tf.float32, (0, 1))
    deviations = tf.maximum(deviations, _LEAST_DEVIATION)
    offsets = tf.range(-reach, reach + 1, dtype=tf.float32)
    weights = tf.exp(-0.5 * (offsets[:, None] / deviations) ** 2)
    weights /= tf.reduce_sum(weights, axis=0)
    own = weights[:, part * batch : (part + 1) * batch]
    return tf.repeat(own, 3, axis=1)
