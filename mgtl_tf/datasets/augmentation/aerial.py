"""Random changes of square aerial images alone, in graph.

Neither leaves the panorama's columns where they were with the aerial image:
they are for systems that compare no directions. `share`: see the package.
"""

from __future__ import annotations

import tensorflow as tf

from mgtl_tf.datasets.augmentation.draws import Share, draws


def centre_crop(
    images: tf.Tensor, smallest: float, seed: tf.Tensor, share: Share = (0, 1)
) -> tf.Tensor:
    """Crops some images about their centre, and enlarges them to their size.

    An image keeps a share of its side, drawn evenly from 0 to 1, or all of it
    where that is `smallest` or less, which is so for as many of all images.

    Args:
        images: [B, S, S, C], any dtype.
        smallest: share of the side, 0 to 1.
        seed: int32 [2].
        share: see the module.

    Returns:
        as `images`, bilinear samples.
    """
    count = tf.shape(images)[0]
    kept = drawn_shares(count, smallest, seed, share)
    # From the centre of one corner's pixel to that of the other's: scaling by
    # `kept` about the middle, where pixels are areas.
    low, high = (1 - kept) / 2, (1 + kept) / 2
    boxes = tf.stack([low, low, high, high], axis=1)
    cropped = tf.image.crop_and_resize(
        tf.cast(images, tf.float32), boxes, tf.range(count), images.shape[1:3]
    )
    if images.dtype.is_integer:
        cropped = tf.round(cropped)
    return tf.ensure_shape(tf.cast(cropped, images.dtype), images.shape)


def quarter_turns(
    images: tf.Tensor, seed: tf.Tensor, share: Share = (0, 1)
) -> tf.Tensor:
    """Turns images to the left by 0 to 4 right angles, evenly drawn.

    So two in five stay as they are, as in the published training.

    Args:
        images: [B, S, S, C], any dtype.
        seed: int32 [2].
        share: see the module.

    Returns:
        as `images`, pixels moved alone.
    """
    turns = drawn_quarters(tf.shape(images)[0], seed, share)
    turns = turns[:, None, None, None]
    turned = tf.where(
        turns % 2 == 1, tf.transpose(images, [0, 2, 1, 3]), images
    )
    upright = (turns == 0) | (turns == 3)
    turned = tf.where(upright, turned, turned[:, ::-1])
    return tf.where(turns < 2, turned, turned[:, :, ::-1])


def drawn_shares(
    count: tf.Tensor, smallest: float, seed: tf.Tensor, share: Share
) -> tf.Tensor:
    """Shares of their sides that `centre_crop` keeps, float32 [count]."""
    kept = draws((count,), seed, 0.0, 1.0, tf.float32, share)
    return tf.where(kept > smallest, kept, 1.0)


def drawn_quarters(
    count: tf.Tensor, seed: tf.Tensor, share: Share
) -> tf.Tensor:
    """By how many right angles `quarter_turns` turns, 0 to 3, int32 [count]."""
    return draws((count,), seed, 0, 5, tf.int32, share) % 4
