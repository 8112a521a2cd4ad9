"""Training masks and mining where pairs share an image or lack a position."""

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.datasets.hard_negatives import mine_hard_negatives
from mgtl_tf.datasets.pipeline import train_batches
from mgtl_tf.datasets.position_neighbours import nearest_on_map, nearest_places
from mgtl_tf.datasets.records import Pair
from mgtl_tf.losses import info_nce_loss, soft_margin_triplet_loss

IMAGES = np.array([0, 0, 1, 2, 1, 3])
METRES = np.array([0.0, 400, 10, 100, 200, np.nan])
PLACES = np.stack([METRES, 0 * METRES], axis=1)


class Black:
    """Pixels of six pairs."""

    def __len__(self):
        return len(IMAGES)

    def load(self, rows):
        images = np.zeros((len(rows), 2, 4, 3), np.uint8)
        return images, images


def same_by_hand(radius=25.0):
    """bool [6, 6]: of one image, or known to be nearer than the radius."""
    apart = np.abs(METRES[:, None] - METRES)
    return (IMAGES[:, None] == IMAGES) | (apart < radius)


def mask(rows, **kwargs):
    batches = train_batches(
        Black(),
        np.array([rows]),
        augment=False,
        seed=0,
        epoch=0,
        same_place_metres=25.0,
        **kwargs,
    )
    (batch,) = batches
    return batch["negatives"].numpy()


def test_pairs_of_one_image_are_never_negatives_of_each_other():
    rows = [5, 1, 0, 2, 4, 3]
    found = mask(rows, images=IMAGES, positions=PLACES)
    np.testing.assert_array_equal(found, ~same_by_hand()[np.ix_(rows, rows)])
    # Without positions, by the image alone.
    found = mask(rows, images=IMAGES)
    one = IMAGES[rows][:, None] == IMAGES[rows]
    np.testing.assert_array_equal(found, ~one)


def test_every_worker_has_the_whole_batch_s_mask():
    rows = [5, 1, 0, 2]
    whole = mask(rows, images=IMAGES, positions=PLACES)
    for worker in (0, 1):
        part = mask(rows, images=IMAGES, positions=PLACES, share=(worker, 2))
        np.testing.assert_array_equal(part, whole)


def test_an_unknown_position_is_a_negative_of_all_but_itself():
    found = mask([5, 0, 2], positions=PLACES)
    # 0 and 2 are 10 m apart.
    assert found.tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("loss", [soft_margin_triplet_loss, info_nce_loss])
def test_the_loss_does_not_push_pairs_of_one_image_apart(loss):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    ground, satellite = tf.math.l2_normalize(tf.constant(x), axis=-1)
    with tf.GradientTape() as tape:
        tape.watch(ground)
        # Pairs 0 and 1 share an image; only 2 is a wrong one to them.
        value = loss(
            ground, satellite, negatives=mask([0, 1, 3], images=IMAGES)
        )
    slope = tape.gradient(value, ground)[0]
    # The slope of pair 0 lies in the plane of its own image and of pair 2's.
    plane = np.stack([satellite[0], satellite[2]], axis=1)
    weights = np.linalg.lstsq(plane, slope, rcond=None)[0]
    assert np.abs(weights).min() > 1e-3
    np.testing.assert_allclose(plane @ weights, slope, atol=1e-5)


def test_mining_never_gives_a_place_of_the_same_image():
    x = np.random.default_rng(1).normal(size=(2, 6, 5)).astype("float32")
    ground, satellite = x / np.linalg.norm(x, axis=-1, keepdims=True)
    found = mine_hard_negatives(
        ground, satellite, PLACES, 25.0, 5, images=IMAGES
    )
    similarity = ground @ satellite.T
    for i, same in enumerate(same_by_hand()):
        wanted = [
            j for j in np.argsort(-similarity[i]) if not same[j] and j != i
        ]
        assert found[i].tolist() == wanted + [-1] * (5 - len(wanted))


def test_mining_by_map_passes_over_unknown_places_and_shared_images():
    pairs = [
        Pair(str(i), "g", "a", None if np.isnan(p[0]) else tuple(p))
        for i, p in enumerate(PLACES)
    ]
    found = nearest_places(pairs, 25.0, 5, IMAGES)
    apart = np.abs(METRES[:, None] - METRES)
    for i, same in enumerate(same_by_hand()):
        wanted = [] if i == 5 else np.argsort(apart[i], kind="stable")[:5]
        wanted = [j for j in wanted if not same[j]]
        assert found[i].tolist() == wanted + [-1] * (5 - len(wanted))


def test_many_near_panoramas_of_one_image_do_not_hide_the_others():
    places = np.stack([np.arange(40.0), np.zeros(40)], axis=1)
    images = np.array([0] * 30 + list(range(1, 11)))
    found = nearest_on_map(places, 2.0, 3, images)
    assert found[0].tolist() == [30, 31, 32]
    assert found[29].tolist() == [31, 32, 33]
