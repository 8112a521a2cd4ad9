"""Random changes of a training batch, in graph, a function of a seed alone.

Turning or mirroring the world changes both views in the same way: their
columns are azimuths, so a turn rolls the columns of both and a mirror runs
through those of both backwards. What is applied to one view alone would
break the pair, but for light and colour, which differ between the views of a
place anyway.
"""

from __future__ import annotations

import tensorflow as tf

_MIDDLE_GREY = 127.5


def turn_and_mirror(
    ground: tf.Tensor,
    satellite: tf.Tensor,
    seed: tf.Tensor,
    share: tuple[int, int] = (0, 1),
) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns the world of each pair at random, and mirrors every other one.

    Column j looks towards azimuth 2 pi j / W (plus a constant), so the world
    turned by s columns shows column j - s, and the world mirrored shows
    column -j: both are exact, no pixel is interpolated.

    Args:
        ground, satellite: [B, H, W, 3], any dtype, the same W.
        seed: int32 [2].
        share: (i, n) where these are the i-th of n equal parts of a batch:
            each pair changes as it would in the whole batch.

    Returns:
        both views, columns moved alike within a pair.
    """
    batch, width = tf.shape(ground)[0], tf.shape(ground)[2]
    seeds = tf.random.split(seed, 2)
    turns = draws((batch, 1), seeds[0], 0, width, tf.int32, share)
    mirrored = draws((batch, 1), seeds[1], 0, 2, tf.int32, share)
    columns = (1 - 2 * mirrored) * tf.range(width) + turns  # [B, W]
    columns = tf.math.floormod(columns, width)
    return _take(ground, columns), _take(satellite, columns)


def color_jitter(
    images: tf.Tensor,
    strength: float,
    seed: tf.Tensor,
    share: tuple[int, int] = (0, 1),
) -> tf.Tensor:
    """Changes brightness, contrast and white balance of each image.

    Args:
        images: float32 [B, H, W, 3], 0..255.
        strength: largest relative change of contrast, and of brightness as
            a share of 127.5; channels differ by half of it at most.
        seed: int32 [2].
        share: as of `turn_and_mirror`.

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
    # Whole rows of numbers, [B, H, 3 W]: broadcasting over an innermost axis
    # of three takes several times as long.
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    gains, offsets = (
        tf.tile(x[:, :, 0], [1, 1, width]) for x in (gains, offsets)
    )
    rows = tf.reshape(images, [batch, height, 3 * width])
    rows = tf.clip_by_value(rows * gains + offsets, 0.0, 255.0)
    return tf.ensure_shape(tf.reshape(rows, tf.shape(images)), images.shape)


def draws(
    shape: tuple, seed: tf.Tensor, low, high, dtype, share: tuple[int, int]
) -> tf.Tensor:
    """Uniform numbers for one part of a batch, drawn for all its parts.

    Args:
        shape: of the part, its first axis the batch's.
        seed: int32 [2].
        low, high: the range; high is excluded.
        dtype: of the numbers.
        share: as of `turn_and_mirror`.
    """
    part, parts = share
    batch = shape[0]
    drawn = tf.random.stateless_uniform(
        (batch * parts, *shape[1:]), seed, low, high, dtype
    )
    return drawn[part * batch : (part + 1) * batch]


def _take(images: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Columns int [B, W] of images [B, H, W, 3]."""
    taken = tf.gather(images, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(taken, images.shape)
