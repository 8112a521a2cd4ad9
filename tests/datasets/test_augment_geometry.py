"""The aerial image turned or mirrored, then warped: a roll or a mirror."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.datasets.augment import turn_and_mirror
from polar import PolarTransform, polar_transform

SIDE, HEIGHT, WIDTH = 64, 16, 40


def aerial():
    """Structured, and black where a quarter turn has no pixel to show.

    The camera stands on pixel [S/2, S/2], so the odd square about it, all
    but the first row and column, is what turns into itself.
    """
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), (SIDE, SIDE))
    image[0], image[:, 0] = 0, 0
    return image


def changed(image, change):
    image = image.copy()
    image[1:, 1:] = change(image[1:, 1:])
    return image


def columns(quarters, mirrored):
    """Which column of the polar image each column of the new one shows.

    A quarter turn against the clock brings the north (W/2) to the west
    (W/4); a mirror (east for west) keeps north and south.
    """
    j = np.arange(WIDTH)
    return ((-j if mirrored else j) + quarters * WIDTH // 4) % WIDTH


CHANGES = [(q, m) for q in range(4) for m in (False, True)]


@pytest.mark.parametrize(("quarters", "mirrored"), CHANGES)
def test_polar_image_of_a_changed_aerial_image(quarters, mirrored):
    def change(image):
        turned = np.rot90(image, quarters)
        return turned[:, ::-1] if mirrored else turned

    before = aerial()
    after = changed(before, change)
    wanted = columns(quarters, mirrored)
    bytes_before = polar_transform(before, HEIGHT, WIDTH)[:, wanted]
    bytes_after = polar_transform(after, HEIGHT, WIDTH)
    # Sines are off by 1e-16: at most a tie of rounding falls otherwise.
    apart = np.abs(bytes_after.astype(int) - bytes_before)
    assert apart.max() <= 1 and (apart == 0).mean() > 0.999
    layer = PolarTransform(HEIGHT, WIDTH)
    floats = layer(np.stack([before, after]).astype("float32")).numpy()
    np.testing.assert_allclose(floats[1], floats[0][:, wanted], atol=1e-2)


def test_augmentation_makes_the_very_polar_image_of_a_turned_world():
    """Of its W turns four are quarters, which an aerial image can make."""
    polar = polar_transform(aerial(), HEIGHT, WIDTH)
    # A panorama whose pixels name their columns tells what was done.
    names = np.zeros((HEIGHT, WIDTH, 3), np.uint8) + np.arange(WIDTH)[:, None]
    count = 400
    ground, satellite = turn_and_mirror(
        tf.constant(np.stack([names.astype(np.uint8)] * count)),
        tf.constant(np.stack([polar] * count)),
        tf.constant([5, 6]),
    )
    worlds = {
        tuple(columns(q, m)): polar_transform(
            changed(
                aerial(),
                lambda x, q=q, m=m: np.rot90(x, q)[:, :: -1 if m else 1],
            ),
            HEIGHT,
            WIDTH,
        )
        for q, m in CHANGES
    }
    met = set()
    for shown, warped in zip(ground.numpy(), satellite.numpy(), strict=True):
        key = tuple(shown[0, :, 0].astype(int))
        if key in worlds:
            met.add(key)
            assert np.abs(warped.astype(int) - worlds[key]).max() <= 1
    assert len(met) == 8
