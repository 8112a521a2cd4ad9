"""Scorers of a batch, of tiles and of pairs, against SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy.spatial.distance import cdist

from mgtl_tf.datasets.hard_negatives import mine_hard_negatives
from mgtl_tf.datasets.negatives import Places
from mgtl_tf.galleries.gallery import Index
from mgtl_tf.losses import info_nce_loss, soft_margin_triplet_loss
from mgtl_tf.metrics import ranks
from mgtl_tf.retrieval.ann import SearchEngine, open_engine
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.scorers import DISTANCE, DOT, scorer_of


def vectors(rows=7, size=6, seed=0):
    """Of all lengths: nearest is not what the product says."""
    random = np.random.default_rng(seed)
    lengths = random.uniform(0.1, 9, (rows, 1))
    return (lengths * random.normal(size=(rows, size))).astype("f4")


def oracle(scorer, ground, satellite):
    """All scores in float64, [Q, N]."""
    if scorer == DOT:
        return ground.astype("f8") @ satellite.astype("f8").T
    return -cdist(ground, satellite, "sqeuclidean")


@pytest.mark.parametrize("scorer", [DOT, DISTANCE])
def test_batches_tiles_and_pairs_score_alike(scorer):
    ground, satellite = vectors(9), vectors(7, seed=1)
    expected = oracle(scorer, ground, satellite)
    assert expected.argmax(1).tolist() != (-expected).argmax(1).tolist()
    found = np.asarray(scorer.of_batch(ground, satellite))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)
    for queries in (ground, ground[:1]):
        out = np.empty((len(queries), 7), "f4")
        scorer.tile(queries, satellite, out)
        wanted = expected[: len(queries)]
        np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-3)
        error = np.abs(out - wanted).max()
        assert error <= scorer.rounding(queries, satellite)
    np.testing.assert_allclose(
        scorer.exact(ground[:7], satellite), np.diagonal(expected), rtol=1e-12
    )
    assert scorer_of(scorer.plain()) == scorer
    assert scorer.fits(4, 4) and not scorer.fits(4, 5)


def test_the_plain_form_is_checked():
    assert scorer_of(None) == DOT
    for wrong in ({"kind": "none"}, {"kind": "dot", "columns": 3}, {}):
        if wrong:
            with pytest.raises(ValueError, match="scorer"):
                scorer_of(wrong)


def test_by_distance_everything_finds_the_nearest():
    ground, satellite = vectors(40, 5), vectors(60, 5, seed=1)
    satellite[50] = satellite[3]  # a tie, in the order of the gallery
    expected = oracle(DISTANCE, ground, satellite)
    order = np.argsort(-expected.astype("f4"), axis=1, kind="stable")
    rows, scores = SearchEngine(satellite, DISTANCE).search(ground, 8)
    np.testing.assert_array_equal(rows, order[:, :8])
    np.testing.assert_allclose(
        scores, np.take_along_axis(expected, rows, 1), rtol=1e-6
    )
    place, ties = ranks(ground, satellite, np.arange(40), DISTANCE)
    own = expected[np.arange(40), np.arange(40)][:, None]
    np.testing.assert_array_equal(place, (expected >= own).sum(axis=1))
    assert ties[3] == 1
    mined = mine_hard_negatives(
        ground, satellite[:40], Places(np.arange(40)), 5, DISTANCE
    )
    others = expected[:, :40].copy()
    np.fill_diagonal(others, -np.inf)
    np.testing.assert_array_equal(mined, np.argsort(-others, axis=1)[:, :5])


def test_the_triplet_loss_of_distances_is_that_of_vo_and_hays():
    """The mean of softplus(D+ - D-) over all triplets of both anchors."""
    ground, satellite = vectors(5) / 5, vectors(5, seed=1) / 5
    distances = cdist(ground, satellite, "sqeuclidean")
    terms = [
        np.logaddexp(0, distances[i, i] - other)
        for i in range(5)
        for j in range(5)
        if i != j
        for other in (distances[i, j], distances[j, i])
    ]
    found = soft_margin_triplet_loss(
        ground, satellite, gamma=1.0, scorer=DISTANCE
    )
    assert float(found) == pytest.approx(np.mean(terms), rel=1e-5)
    smooth = info_nce_loss(ground, satellite, 1.0, 0.0, scorer=DISTANCE)
    logits = -distances
    both = (logits, logits.T)
    wanted = [np.logaddexp.reduce(x, 1) - np.diagonal(x) for x in both]
    assert float(smooth) == pytest.approx(np.mean(wanted), rel=1e-5)


def test_equal_descriptors_have_finite_gradients_by_distance():
    x = tf.Variable(vectors(3))
    with tf.GradientTape() as tape:
        loss = soft_margin_triplet_loss(
            x, ops.ones((3, 6)) * x, scorer=DISTANCE
        )
    assert np.isfinite(tape.gradient(loss, x)).all()


def test_a_library_of_products_refuses_other_scorers_in_one_line(tmp_path):
    index = Index(tmp_path, [], vectors(), "", {"scorer": DISTANCE.plain()})
    assert index.scorer == DISTANCE
    assert open_engine(index).search(vectors(2), 1)[0].shape == (2, 1)
    with pytest.raises(UserError, match="compared by distance") as caught:
        open_engine(index, "int8")
    assert "\n" not in str(caught.value)
