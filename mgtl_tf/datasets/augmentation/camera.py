"""Random changes of what a camera makes of a view: light, lens, file.

They change one view alone, which would break the pair, but light, colour,
blur and JPEG differ between the views of a place anyway.
"""

from __future__ import annotations

import math

import tensorflow as tf

from mgtl_tf.datasets.augmentation.draws import Share, draws

_MIDDLE_GREY = 127.5
# Panoramas are hardly ever stored at a better quality.
_BEST_QUALITY = 95
# A Gaussian this narrow leaves every pixel as it is.
_LEAST_DEVIATION = 0.05
# Folded into a view's seed, for random numbers of their own; colour takes the
# seed as it is.
_BLUR, _JPEG = 1, 2


def camera(
    images: tf.Tensor,
    random: tf.Tensor,
    share: Share,
    form: str,
    strength: float,
    largest: float,
    lowest: int,
) -> tf.Tensor:
    """A view's colour, blur and JPEG, in the order of a picture's making.

    Args:
        images: [B, H, W, C], RGB 0..255; further channels stay as they are.
        random: int32 [2], the view's seed.
        share, form: as of `blur`.
        strength: of `color_jitter`; 0: none.
        largest: of `blur`; 0: none.
        lowest: of `jpeg`; 0: none.

    Returns:
        `images` without any change, else float32 [B, H, W, C].
    """
    if not (strength or largest or lowest):
        return images
    images = tf.cast(images, tf.float32)
    # Directions and label maps follow the colours.
    images, maps = images[..., :3], images[..., 3:]
    if strength:
        images = color_jitter(images, strength, random, share)
    if largest:
        seed = tf.random.fold_in(random, _BLUR)
        images = blur(images, largest, seed, share, form)
    if lowest:
        seed = tf.random.fold_in(random, _JPEG)
        images = jpeg(images, lowest, seed, share)
    return tf.concat([images, maps], -1)


def color_jitter(
    images: tf.Tensor, strength: float, seed: tf.Tensor, share: Share = (0, 1)
) -> tf.Tensor:
    """Changes brightness, contrast and white balance of each image.

    Args:
        images: float32 [B, H, W, 3], 0..255.
        strength: largest relative change of contrast, and of brightness as
            a share of 127.5; channels differ by half of it at most.
        seed: int32 [2].
        share: see the module.

    Returns:
        float32 [B, H, W, 3], kept within 0..255.
    """
    batch = tf.shape(images)[0]
    seeds = tf.random.split(seed, 3)

    def change(seed: tf.Tensor, channels: int, largest: float) -> tf.Tensor:
        shape = (batch, 1, 1, channels)
        return draws(shape, seed, -largest, largest, tf.float32, share)

    # About middle grey, not the image's own mean: one pass over the pixels.
    contrast = 1.0 + change(seeds[0], 1, strength)
    gains = contrast * (1.0 + change(seeds[1], 3, strength / 2))
    brightness = 1.0 + change(seeds[2], 1, strength)
    offsets = _MIDDLE_GREY * (brightness - gains)
    # Rows of numbers, [B, H, 3 W]: broadcasting over an innermost axis of
    # three takes several times as long.
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    gains, offsets = (
        tf.tile(x[:, :, 0], [1, 1, width]) for x in (gains, offsets)
    )
    rows = tf.reshape(images, [batch, height, 3 * width])
    rows = tf.clip_by_value(rows * gains + offsets, 0.0, 255.0)
    return tf.ensure_shape(tf.reshape(rows, tf.shape(images)), images.shape)


def blur(
    images: tf.Tensor,
    largest: float,
    seed: tf.Tensor,
    share: Share = (0, 1),
    form: str = "polar",
) -> tf.Tensor:
    """Blurs each image by a Gaussian of its own width.

    Where columns are azimuths, the first is the last one's neighbour. The top
    and the bottom row, and a square image's outer columns, are repeated
    beyond the edge.

    Args:
        images: float32 [B, H, W, 3].
        largest: of the standard deviations, pixels; they are drawn evenly
            from 0 on. The window reaches three of it.
        seed: int32 [2].
        share: see the module.
        form: square, or polar: also of panoramas.

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
    columns = tf.range(-reach, width + reach)
    if form == "square":
        columns = tf.clip_by_value(columns, 0, width - 1)
    columns = tf.math.floormod(columns, width)
    planes = tf.gather(tf.gather(planes, rows, axis=0), columns, axis=1)[None]
    for window in (weights[:, None, :, None], weights[None, :, :, None]):
        planes = tf.nn.depthwise_conv2d(planes, window, [1, 1, 1, 1], "VALID")
    blurred = tf.reshape(planes[0], [height, width, batch, 3])
    return tf.ensure_shape(tf.transpose(blurred, [2, 0, 1, 3]), images.shape)


def jpeg(
    images: tf.Tensor, lowest: int, seed: tf.Tensor, share: Share = (0, 1)
) -> tf.Tensor:
    """Writes each image as JPEG and reads it again.

    Args:
        images: float32 [B, H, W, 3], 0..255.
        lowest: of the qualities, 1 to 95; they are drawn evenly up to 95.
        seed: int32 [2].
        share: see the module.

    Returns:
        float32 [B, H, W, 3], whole grey levels.
    """
    batch = (tf.shape(images)[0],)
    qualities = draws(batch, seed, lowest, _BEST_QUALITY + 1, tf.int32, share)
    levels = tf.cast(tf.clip_by_value(tf.round(images), 0, 255), tf.uint8)
    found = tf.map_fn(
        # The accurate transform, as everywhere else in this package.
        lambda one: tf.image.adjust_jpeg_quality(
            *one, dct_method="INTEGER_ACCURATE"
        ),
        (levels, qualities),
        fn_output_signature=tf.uint8,
    )
    return tf.ensure_shape(tf.cast(found, tf.float32), images.shape)


def _gaussians(
    batch: tf.Tensor, largest: float, reach: int, seed: tf.Tensor, share: Share
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
