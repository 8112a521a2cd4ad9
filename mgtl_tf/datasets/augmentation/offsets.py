"""Offsets of panoramas in aerial images that augmentation moves, in graph.

Each function takes the seed and share of the change that it follows, and
draws the same numbers. Offsets are d0, d1 of each pair, float32 [B, 2], of any
unit: the panorama stands d0 below the centre of its aerial image, and d1 to
the left of it (`records.Tiles`).
"""

from __future__ import annotations

import math

import tensorflow as tf

from mgtl_tf.datasets.augmentation.aerial import drawn_quarters, drawn_shares
from mgtl_tf.datasets.augmentation.draws import Share
from mgtl_tf.datasets.augmentation.world import drawn_moves


def move_offsets(
    offsets: tf.Tensor,
    steps: int,
    seed: tf.Tensor,
    share: Share = (0, 1),
    mirror: bool = True,
) -> tf.Tensor:
    """Follows `world.turn_and_mirror`; mirrored, d1 is negated.

    Args:
        offsets: see the module.
        steps: of `world.turn_steps`.
        seed, share, mirror: as of `turn_and_mirror`.
    """
    moves = drawn_moves(tf.shape(offsets)[0], steps, seed, share, mirror)
    turns, mirrored = (tf.cast(move, tf.float32) for move in moves)
    turned = _turned(offsets, turns[:, 0] * (2 * math.pi / steps))
    return turned * tf.concat([tf.ones_like(turns), 1 - 2 * mirrored], axis=1)


def crop_offsets(
    offsets: tf.Tensor, smallest: float, seed: tf.Tensor, share: Share = (0, 1)
) -> tf.Tensor:
    """Follows `aerial.centre_crop`, which enlarges what it keeps."""
    kept = drawn_shares(tf.shape(offsets)[0], smallest, seed, share)
    return offsets / kept[:, None]


def quarter_turn_offsets(
    offsets: tf.Tensor, seed: tf.Tensor, share: Share = (0, 1)
) -> tf.Tensor:
    """Follows `aerial.quarter_turns`."""
    turns = drawn_quarters(tf.shape(offsets)[0], seed, share)
    return _turned(offsets, tf.cast(turns, tf.float32) * (math.pi / 2))


def _turned(offsets: tf.Tensor, angle: tf.Tensor) -> tf.Tensor:
    """Turned to the left, as x = -d1, y = d0 is with its image; [B] radians."""
    d0, d1 = tf.unstack(offsets, axis=1)
    down = d0 * tf.cos(angle) + d1 * tf.sin(angle)
    left = d1 * tf.cos(angle) - d0 * tf.sin(angle)
    return tf.stack([down, left], axis=1)
