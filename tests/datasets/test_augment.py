"""Augmentation against geometry (a turned world) and OpenCV's blur and JPEG."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.datasets.augmentation.camera import blur, color_jitter, jpeg
from mgtl_tf.datasets.augmentation.world import turn, turn_and_mirror
from polar import polar_transform

SIDE = 32


def turned_worlds(aerial):
    """The 8 ways to turn by quarters and mirror a world about its camera.

    The camera stands on pixel [S/2, S/2], so indices count from there.
    """
    offset = (np.arange(SIDE) - SIDE // 2)[:, None], np.arange(SIDE) - SIDE // 2
    for mirror in (1, -1):
        a, b = offset[0], mirror * offset[1]
        for _ in range(4):
            a, b = -b, a
            rows, columns = np.broadcast_arrays(a + SIDE // 2, b + SIDE // 2)
            yield aerial[rows % SIDE, columns % SIDE]


def ground_view(aerial):
    """A panorama of four columns: what stands S, W, N, E of the camera."""
    middle, r = SIDE // 2, np.arange(10, 1, -1)
    columns = [
        aerial[middle + r, middle],
        aerial[middle, middle - r],
        aerial[middle - r, middle],
        aerial[middle, middle + r],
    ]
    return np.stack(columns, axis=1)


def test_maps_are_turned_alike_and_never_mirrored():
    """Of any depth and dtype: column j + s of the one is j of the other."""
    maps = np.random.default_rng(0).normal(size=(2, 40, 3, 8, 5)).astype("f2")
    turned = turn_and_mirror(*map(tf.constant, maps), [1, 2], mirror=False)
    turns = set()
    for pair in range(40):
        shifts = [
            [
                s
                for s in range(8)
                if np.array_equal(np.roll(own[pair], s, axis=1), found[pair])
            ]
            for own, found in zip(maps, turned, strict=True)
        ]
        assert len(shifts[0]) == 1 and shifts[0] == shifts[1]
        turns.add(shifts[0][0])
    assert len(turns) == 8


def test_both_views_see_one_turned_and_mirrored_world():
    rng = np.random.default_rng(0)
    aerial = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    worlds = list(turned_worlds(aerial))
    polars = [polar_transform(w, 16, 4) for w in worlds]
    grounds = [ground_view(w) for w in worlds]
    start = next(i for i, w in enumerate(worlds) if (w == aerial).all())
    batch = 200
    ground, satellite = turn_and_mirror(
        tf.constant(np.stack([grounds[start]] * batch)),
        tf.constant(np.stack([polars[start]] * batch)),
        tf.constant([1, 2]),
    )
    seen = set()
    for g, s in zip(ground.numpy(), satellite.numpy(), strict=True):
        # One grey level: the sine of half a turn is not quite zero.
        near = [np.abs(s.astype(int) - p).max() <= 1 for p in polars]
        assert sum(near) == 1
        world = near.index(True)
        np.testing.assert_array_equal(g, grounds[world])
        seen.add(world)
    assert seen == set(range(8))


def test_square_images_turn_with_their_panoramas():
    """Quarters and mirrors to the pixel, against the four-column view."""
    rng = np.random.default_rng(0)
    aerial = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)[1:, 1:]
    middle, r = SIDE // 2 - 1, np.arange(10, 1, -1)

    def view(image):
        columns = [
            image[middle + r, middle],
            image[middle, middle - r],
            image[middle - r, middle],
            image[middle, middle + r],
        ]
        return np.stack(columns, axis=1)

    ground, satellite = turn_and_mirror(
        tf.constant(np.stack([view(aerial)] * 200)),
        tf.constant(np.stack([aerial] * 200)),
        tf.constant([1, 2]),
        satellite_form="square",
    )
    for g, s in zip(ground.numpy(), satellite.numpy(), strict=True):
        np.testing.assert_array_equal(g, view(s))
    assert len({s.tobytes() for s in satellite.numpy()}) == 8


def test_square_images_turn_by_any_angle():
    """A panorama that is the image's own polar view stays that."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
    aerial = cv2.resize(coarse, (65, 65), interpolation=cv2.INTER_CUBIC)
    angles = 2 * np.pi * np.arange(40) / 40
    radii = np.arange(4, 30, 2)[:, None]
    rows, columns = 32 + radii * np.cos(angles), 32 - radii * np.sin(angles)

    def view(image):
        maps = columns.astype("f4"), rows.astype("f4")
        return cv2.remap(image, *maps, cv2.INTER_LINEAR).astype(float)

    ground, satellite = turn_and_mirror(
        tf.constant(np.stack([view(aerial)] * 30)),
        tf.constant(np.stack([aerial] * 30)),
        tf.constant([1, 2]),
        satellite_form="square",
    )
    views = np.stack([view(image) for image in satellite.numpy()])
    errors = np.abs(views - ground).mean(axis=(1, 2, 3))
    assert errors.max() < 3 < np.abs(views - np.roll(ground, 1, 2)).mean()


def test_views_of_other_widths_turn_by_whole_columns_of_both():
    wide, narrow = np.arange(12), np.arange(8)
    ground, satellite = turn_and_mirror(
        tf.constant(np.tile(wide[:, None], (90, 2, 1, 1))),
        tf.constant(np.tile(narrow[:, None], (90, 3, 1, 1))),
        tf.constant([1, 2]),
    )
    firsts = (ground[:, 0, 0, 0].numpy(), satellite[:, 0, 0, 0].numpy())
    assert set(zip(*firsts, strict=True)) == {(0, 0), (3, 2), (6, 4), (9, 6)}


def test_turns_reach_every_column_and_leave_rows_alone():
    width = 7
    image = np.arange(3 * width * 3).reshape(1, 3, width, 3)
    images = tf.constant(np.repeat(image, 400, axis=0))
    turned, again = turn_and_mirror(images, images, tf.constant([3, 4]))
    np.testing.assert_array_equal(turned, again)
    assert turned.dtype == images.dtype and turned.shape == images.shape
    found = set()
    for one in turned.numpy():
        columns = one[0, :, 0] // 3
        np.testing.assert_array_equal(one, image[0][:, columns])
        step = (columns[1] - columns[0]) % width
        assert step in (1, width - 1)
        np.testing.assert_array_equal(np.diff(columns) % width, step)
        found.add((step, columns[0]))
    assert len(found) == 2 * width


def test_jitter_is_one_line_for_each_channel():
    rng = np.random.default_rng(1)
    images = rng.uniform(100, 150, (6, 5, 4, 3)).astype("float32")
    changed = color_jitter(tf.constant(images), 0.2, tf.constant([5, 6]))
    assert changed.shape == images.shape
    slopes = set()
    for before, after in zip(images, changed.numpy(), strict=True):
        for c in range(3):
            x, y = before[..., c].ravel(), after[..., c].ravel()
            slope, offset = np.polyfit(x, y, 1)
            np.testing.assert_allclose(slope * x + offset, y, atol=1e-2)
            assert 0.8 * 0.9 <= slope <= 1.2 * 1.1
            assert abs(slope * 127.5 + offset - 127.5) <= 0.2 * 127.5 + 0.01
            slopes.add(round(slope, 4))
    assert len(slopes) == 18


def test_jitter_stays_in_range_and_fades_to_nothing():
    images = tf.constant([[[[0.0, 128.0, 255.0]]]])
    for seed in range(5):
        strong = color_jitter(images, 3.0, tf.constant([seed, 0])).numpy()
        assert strong.min() >= 0 and strong.max() <= 255
    none = color_jitter(images, 0.0, tf.constant([0, 0]))
    np.testing.assert_allclose(none, images, atol=1e-4)


def pictures(count, height=40, width=64):
    """Smooth enough that a JPEG is not all noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, height // 4, width // 4, 3), np.uint8)
    return np.stack([cv2.resize(x, (width, height)) for x in coarse])


def opencv_blur(image, deviation, reach):
    """Columns wrap around, rows are repeated at the edges."""
    wide = np.pad(image, ((0, 0), (reach, reach), (0, 0)), "wrap")
    size = 2 * reach + 1
    wide = cv2.GaussianBlur(
        wide, (size, size), deviation, borderType=cv2.BORDER_REPLICATE
    )
    return wide[:, reach:-reach]


@pytest.mark.parametrize("shape", [(40, 64), (5, 8)])
def test_blur_is_opencvs_of_some_width(shape):
    """Also where the window is larger than the image."""
    images = pictures(6, *shape).astype("float32")
    found = blur(tf.constant(images), 2.0, tf.constant([1, 2])).numpy()
    widths = np.arange(0.05, 2.0, 0.01)
    nearest = []
    for before, after in zip(images, found, strict=True):
        errors = [
            np.abs(opencv_blur(before, s, 6) - after).max() for s in widths
        ]
        assert min(errors) < 1.0  # a grey level
        nearest.append(widths[np.argmin(errors)])
    assert len(set(nearest)) == 6 and np.ptp(nearest) > 0.5


def test_blur_of_a_square_image_does_not_reach_around():
    image = np.zeros((1, 9, 9, 3), "float32")
    image[:, :, -1] = 200
    for form, beyond in (("polar", True), ("square", False)):
        seed = tf.constant([1, 2])
        found = blur(tf.constant(image), 2.0, seed, form=form).numpy()
        assert (found[0, :, 0].max() > 1) == beyond


def test_jpeg_is_opencvs_of_some_quality():
    images = pictures(8)
    found = jpeg(
        tf.constant(images.astype("float32")), 30, tf.constant([1, 2])
    ).numpy()
    qualities = []
    for before, after in zip(images, found, strict=True):
        same = []
        for quality in range(1, 101):
            options = [cv2.IMWRITE_JPEG_QUALITY, quality]
            file = cv2.imencode(".jpg", before[..., ::-1], options)[1]
            read = cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]
            same.append(np.abs(read.astype("f4") - after).max() <= 1)
        assert any(same)
        qualities.append(1 + np.argmax(same))
    assert min(qualities) >= 30 and max(qualities) <= 95
    assert len(set(qualities)) >= 5


def test_panoramas_alone_turn_evenly_and_parts_turn_as_the_whole():
    seed = tf.constant([1, 2])
    images = tf.tile(tf.range(36)[None, None, :, None], [400, 1, 1, 1])
    turned = turn(images, 90.0, seed).numpy()
    first = turned[:, 0, 0, 0]
    np.testing.assert_array_equal(np.unique(first), np.arange(9))
    np.testing.assert_array_equal(
        turned[:, 0, :, 0], (first[:, None] + np.arange(36)) % 36
    )
    part = turn(images[100:200], 90.0, seed, (1, 4))
    np.testing.assert_array_equal(part, turned[100:200])
