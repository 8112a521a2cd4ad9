"""Offsets that augmentation moves, against dots in the images it moves."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.datasets.augmentation.offsets import move_offsets
from mgtl_tf.datasets.augmentation.world import turn_and_mirror, turn_steps
from mgtl_tf.datasets.pipeline import train_batches
from polar import polar_transform

HALF = 32
DOWN, LEFT = -14.0, 9.0
SEED = tf.constant([5, 6])


def dotted(d0=DOWN, d1=LEFT):
    image = np.zeros((2 * HALF + 1, 2 * HALF + 1, 3), np.uint8)
    centre = round(HALF - d1), round(HALF + d0)
    return cv2.circle(image, centre, 3, (255,) * 3, -1)


def dot_of(picture):
    """Down from the centre, and to the left, of what is bright."""
    rows, columns = np.nonzero(picture[..., 0] > 127)
    return rows.mean() - HALF, HALF - columns.mean()


@pytest.mark.parametrize("mirror", [True, False])
def test_offsets_turn_with_their_images(mirror):
    """A dot where the offsets say is there after every turn and mirror."""
    count = 60
    strip = tf.zeros((count, 1, 40, 3), tf.uint8)
    images = tf.constant(np.stack([dotted()] * count))
    options = {"mirror": mirror, "satellite_form": "square"}
    moved = turn_and_mirror(strip, images, SEED, **options)[1].numpy()
    steps = turn_steps(strip, images, "square")
    offsets = tf.constant([[DOWN, LEFT]] * count)
    found = move_offsets(offsets, steps, SEED, mirror=mirror).numpy()
    for picture, offset in zip(moved, found, strict=True):
        assert dot_of(picture) == pytest.approx(tuple(offset), abs=0.4)
    assert len({tuple(np.round(o, 3)) for o in found.tolist()}) > 25


@pytest.mark.parametrize("mirror", [True, False])
def test_offsets_turn_with_polar_images_as_well(mirror):
    """The direction of a dot, in columns, is that of its moved offset."""
    count, columns = 60, 40
    view = polar_transform(dotted(), 16, columns)
    views = tf.constant(np.stack([view] * count))
    strip = tf.zeros((count, 1, 2 * columns, 3), tf.uint8)
    moved = turn_and_mirror(strip, views, SEED, mirror=mirror)[1].numpy()
    steps = turn_steps(strip, views)
    offsets = tf.constant([[DOWN, LEFT]] * count)
    found = move_offsets(offsets, steps, SEED, mirror=mirror).numpy()
    angles = 2 * np.pi * np.arange(columns) / columns
    for picture, (down, left) in zip(moved, found, strict=True):
        weights = picture[..., 0].astype("f8").sum(axis=0)
        seen = np.angle(np.sum(weights * np.exp(1j * angles)))
        # The centre column looks to the north; one is 9 degrees.
        wanted = np.arctan2(-left, -down) + np.pi
        apart = np.angle(np.exp(1j * (seen - wanted)))
        assert abs(np.degrees(apart)) < 10


class Dots:
    """Pairs whose aerial images have a dot each."""

    def __init__(self, offsets):
        self.offsets = offsets

    def __len__(self):
        return len(self.offsets)

    def load(self, rows):
        aerial = [dotted(*self.offsets[row]) for row in rows]
        return np.zeros((len(rows), 2, 40, 3), np.uint8), np.stack(aerial)


@pytest.mark.parametrize("share", [(0, 1), (1, 2)])
def test_batches_hold_offsets_that_followed_every_change(share):
    """Turned and mirrored with the panorama; cropped and turned alone."""
    offsets = np.random.default_rng(0).integers(-11, 12, (24, 2))
    rows = np.random.default_rng(1).permutation(24).reshape(2, 12)
    batches = train_batches(
        Dots(offsets),
        rows,
        augment=True,
        seed=3,
        epoch=1,
        share=share,
        satellite_form="square",
        satellite_crop=0.5,
        satellite_quarter_turns=True,
        offsets=np.float32(offsets / HALF),
    )
    own = slice(share[0] * 12 // share[1], (share[0] + 1) * 12 // share[1])
    for batch, numbers in zip(batches, rows[:, own], strict=True):
        found = batch["offsets"].numpy() * HALF
        assert found.shape == (12 // share[1], 2)
        lengths = np.linalg.norm(found, axis=1)
        before = np.linalg.norm(offsets[numbers], axis=1)
        assert (lengths > before - 1e-3).all()
        for picture, offset in zip(
            batch["satellite"].numpy(), found, strict=True
        ):
            assert dot_of(picture) == pytest.approx(tuple(offset), abs=0.8)
    plain = train_batches(Dots(offsets), rows, augment=False, seed=3, epoch=1)
    assert "offsets" not in next(iter(plain))
