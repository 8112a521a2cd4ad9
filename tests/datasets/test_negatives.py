"""Which places are negatives: of a batch, of a data set, in the loss."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.hard_negatives import nearest_places
from mgtl_tf.datasets.negatives import Places
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import Pair
from mgtl_tf.losses import info_nce_loss, soft_margin_triplet_loss
from mgtl_tf.training.progress import Progress
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.order import EpochOrder
from tests.datasets.vigor_tree import make_vigor

NAN = np.nan
IMAGES = np.array([0, 0, 1, 2, 1, 3])
METRES = np.array([0.0, 400, 10, 100, 200, NAN])
PLACES = np.stack([METRES, 0 * METRES], axis=1)


def negatives_of(images, positions, radius=25.0):
    return Places(images, positions, radius).negatives(np.arange(len(images)))


@pytest.mark.parametrize("positions", [PLACES, None, NAN * PLACES])
def test_batches_and_tiles_by_the_definition(positions):
    """Of one image, or known to be nearer than the radius: no negatives."""
    same = IMAGES[:, None] == IMAGES
    if positions is PLACES:
        same |= np.abs(METRES[:, None] - METRES) < 25.0
    elif positions is not None:
        positions[0] = 1.0
    places = Places(IMAGES, positions, 25.0)
    batch = np.array([3, 0, 2, 4])
    np.testing.assert_array_equal(
        places.negatives(batch), ~same[np.ix_(batch, batch)]
    )
    for rows in (slice(0, 6), slice(1, 3), slice(5, 6)):
        for columns in (slice(0, 6), slice(2, 5), slice(4, 6)):
            found = places.false_negatives(rows, columns)
            np.testing.assert_array_equal(found, same[rows, columns])


def test_the_radius_is_exclusive_and_northings_keep_their_digits():
    # In float32 these would be off by up to half a metre.
    places = np.array([[0, 0], [24.9, 0], [25.0, 0], [60, 0]]) + 6.09e6
    wanted = [[0, 0, 1, 1], [0, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 0]]
    assert negatives_of(np.arange(4), places).tolist() == wanted


@pytest.mark.parametrize(
    ("images", "line", "radius", "message"),
    [
        ([0, 1], [0, 25], 25, None),
        ([0, 1], [0, 24], 25, "same_place_metres=25: .*24.0 m at most"),
        ([0, 1], [0, NAN], 25, None),
        ([0, 0], [0, 90], 25, "share one aerial image"),
        ([0, 0], [NAN, NAN], 0, "share one aerial image"),
        ([0, 0, 1], [0, 90, 80], 85, "80.0 m"),
        ([0, 1], [0, 0], 0, None),
        (range(700), [0] * 699 + [30], 25, None),  # in the last block of rows
        (range(700), [0] * 700, 25, "0.0 m at most"),
    ],
)
def test_of_all_pairs(images, line, radius, message):
    places = np.stack([line, np.zeros(len(line))], axis=1)
    images = np.array(images)
    if message is None:
        Places(images, places, radius).require_negatives()
    else:
        with pytest.raises(UserError, match=message):
            Places(images, places, radius).require_negatives()
    if len(set(images.tolist())) > 1:
        Places(images, None, radius).require_negatives()


def epoch(line):
    pairs = [
        Pair(str(i), "g", f"a{i}", (float(x), 0.0)) for i, x in enumerate(line)
    ]
    config, rows = RunConfig().replace(batch_size=2), range(len(line))
    batches = EpochOrder(config.data, config.train, None, rows, pairs)
    batches._require_negatives(batches.rows(Progress()))


def test_an_epoch_says_how_many_batches_teach_nothing(caplog):
    epoch([0] * 23 + [90])
    assert "11 of 12 batches hold only places of one aerial" in caplog.text
    with pytest.raises(UserError, match="2 of 2 batches .* batch_size"):
        epoch([0, 0, 0, 0])


@pytest.mark.parametrize("loss", [soft_margin_triplet_loss, info_nce_loss])
def test_the_loss_does_not_push_pairs_of_one_image_apart(loss):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    ground, satellite = tf.math.l2_normalize(tf.constant(x), axis=-1)
    # Pairs 0 and 1 share an image; only 2 is a negative of them.
    mask = negatives_of(np.array([0, 0, 1]), None)
    with tf.GradientTape() as tape:
        tape.watch(ground)
        value = loss(ground, satellite, negatives=mask)
    gradient = tape.gradient(value, ground)[0]
    # That of pair 0 lies in the plane of its own image and of pair 2's.
    plane = np.stack([satellite[0], satellite[2]], axis=1)
    weights = np.linalg.lstsq(plane, gradient, rcond=None)[0]
    assert np.abs(weights).min() > 1e-3
    np.testing.assert_allclose(plane @ weights, gradient, atol=1e-5)


def test_places_that_share_a_semi_positive_are_no_negatives():
    """Trap 4 and 5: every pair of places, by sets of four images each."""
    rng = np.random.default_rng(3)
    overlap = np.array([rng.permutation(20)[:4] for _ in range(40)])
    sets = [set(row) for row in overlap.tolist()]
    shared = np.array([[bool(a & b) for b in sets] for a in sets])
    positions = rng.uniform(0, 200, (40, 2))
    apart = np.linalg.norm(positions[:, None] - positions, axis=-1)
    places = Places(overlap[:, 0], positions, 15.0, overlap)
    wanted = ~shared & ~(apart < 15)
    rows = np.array([7, 3, 3, 39, 0, 12])
    assert (places.negatives(rows) == wanted[np.ix_(rows, rows)]).all()
    tile = places.false_negatives(slice(5, 30), slice(0, 40))
    assert (tile == ~wanted[5:30]).all()
    # By position: the nearest that are negatives, in order.
    found = nearest_places(places, 6)
    for row, answers in enumerate(found.tolist()):
        order = [n for n in np.argsort(apart[row]) if wanted[row, n]]
        assert answers == order[:6]


def test_pairs_give_their_four_images(tmp_path):
    dataset = read_dataset("vigor", make_vigor(tmp_path))
    pairs = dataset.train
    sets = [{tile.aerial for tile in pair.tiles.images} for pair in pairs]
    shared = np.array([[bool(a & b) for b in sets] for a in sets])
    assert shared.sum() > len(pairs)
    rows = np.arange(len(pairs))
    assert (Places.of(pairs, 0.0, True).negatives(rows) == ~shared).all()
    # Empty files are alike no other, and these tiles differ.
    assert Places.of(pairs, 0.0).negatives(rows).sum() == 8 * 7
    bare = [Pair("one", Path("g"), Path("a"))]
    with pytest.raises(UserError, match="exclude_overlap: pair one names no"):
        Places.of(bare, 0.0, True)
