"""Turns and mirrors of the world that a pair shows.

Turning or mirroring the world changes both views in the same way. Columns of
panoramas and of polar images are azimuths: a turn rolls the columns of both
and a mirror reverses them; a square image is turned and mirrored itself.
"""

from __future__ import annotations

import math

import tensorflow as tf

from mgtl_tf.datasets.augmentation.draws import Share, draws
from mgtl_tf.datasets.augmentation.turn_square import turn_square


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
