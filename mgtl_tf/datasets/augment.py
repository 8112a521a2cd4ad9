"""Random changes of a training batch, in graph, functions of a seed alone.

Turning or mirroring the world changes both views in the same way. Columns of
panoramas and of polar images are azimuths: a turn rolls the columns of both
and a mirror reverses them; a square image is turned and mirrored itself.
Other changes of one view alone would break the pair, except light, colour,
blur and JPEG, which differ between the views of a place anyway.

Every function takes `share` = (i, n) where its images are the i-th of n equal
parts of a batch: each image changes, to the bit, as in the complete batch.
"""

from __future__ import annotations

import math

import tensorflow as tf

from mgtl_tf.datasets.draws import Share, draws
from mgtl_tf.datasets.turn_square import turn_square

_MIDDLE_GREY = 127.5
# Panoramas are hardly ever stored at a better quality.
_BEST_QUALITY = 95
# A Gaussian this narrow leaves every pixel as it is.
_LEAST_DEVIATION = 0.05


def turn_and_mirror(
    ground: tf.Tensor,
    satellite: tf.Tensor,
    seed: tf.Tensor,
    share: Share = (0, 1),
    mirror: bool = True,
    satellite_form: str = "polar",
) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns the world of each pair at random, and mirrors every other one.

    Column j looks towards azimuth 2 pi j / W (plus a constant), so the world
    turned by s columns shows column j - s, and the world mirrored shows
    column -j: both are exact, no pixel is interpolated. Where the views have
    other widths, only such turns are drawn as are whole columns in both.
    Square images: see `turn_square`.

    Feature maps can be turned too, by whole columns of theirs. That is not
    the map of the turned image: convolutions pad with zeros at both ends of
    an image, so a turned map has that seam inside, and an image turned by
    less than a column of the map is never seen. They cannot be mirrored, as
    kernels are not symmetric.

    Args:
        ground, satellite: [B, H, W, C], any dtype; of a square form uint8.
        seed: int32 [2].
        share: see the module.
        mirror: False: they are only turned.
        satellite_form: of the aerial images: polar, or square.

    Returns:
        both views, moved alike within a pair.
    """
    steps = turn_steps(ground, satellite, satellite_form)
    turns, mirrored = drawn_moves(
        tf.shape(ground)[0], steps, seed, share, mirror
    )

    def moved(images: tf.Tensor) -> tf.Tensor:
        width = images.shape[2]
        columns = (1 - 2 * mirrored) * tf.range(width)  # [B, W]
        return _taken(images, columns + turns * (width // steps))

    if satellite_form == "polar":
        return moved(ground), moved(satellite)
    turned = tf.numpy_function(
        turn_square,
        [satellite, turns[:, 0], mirrored[:, 0], steps],
        satellite.dtype,
    )
    return moved(ground), tf.ensure_shape(turned, satellite.shape)


def turn_steps(
    ground: tf.Tensor, satellite: tf.Tensor, satellite_form: str = "polar"
) -> int:
    """In how many steps `turn_and_mirror` turns the world once."""
    columns = ground.shape[2]
    if satellite_form == "polar":
        return math.gcd(columns, satellite.shape[2])
    return columns


def drawn_moves(
    batch: tf.Tensor, steps: int, seed: tf.Tensor, share: Share, mirror: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """By how many of the steps each pair is turned, and whether mirrored.

    int32 [B, 1] each.
    """
    seeds = tf.random.split(seed, 2)
    turns = draws((batch, 1), seeds[0], 0, steps, tf.int32, share)
    mirrored = draws((batch, 1), seeds[1], 0, 2, tf.int32, share)
    return turns, mirrored if mirror else tf.zeros_like(mirrored)


def turn(
    images: tf.Tensor, degrees: float, seed: tf.Tensor, share: Share = (0, 1)
) -> tf.Tensor:
    """Turns each panorama by itself: the compass is not known.

    Args:
        images: [B, H, W, C], any dtype.
        degrees: they are turned evenly by 0 to so many; 360: all azimuths.
        seed: int32 [2].
        share: see the module.

    Returns:
        [B, H, W, C]; turned by s columns, column j shows what j + s did.
    """
    batch, width = tf.shape(images)[0], tf.shape(images)[2]
    shares = draws((batch, 1), seed, 0.0, degrees / 360, tf.float32, share)
    turns = tf.cast(shares * tf.cast(width, tf.float32), tf.int32)
    return _taken(images, tf.range(width) + turns)


def _taken(images: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Each image's own columns, int [B, W], once round and round."""
    columns = tf.math.floormod(columns, images.shape[2])
    taken = tf.gather(images, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(taken, images.shape)


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
