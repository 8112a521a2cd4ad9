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
from mgtl_tf.utils import shift_scorer
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.scorers import DISTANCE, DOT, scorer_of
from mgtl_tf.utils.shift_scorer import ShiftScorer


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


def tried(ground, satellite, columns):
    """Scores and shifts [Q, N], every shift tried in turn, in float64."""
    depth = satellite.shape[1] // columns
    scores = np.empty((len(ground), len(satellite)))
    shifts = np.empty(scores.shape, int)
    for i, g in enumerate(ground.astype("f8").reshape(len(ground), -1, depth)):
        for j, a in enumerate(
            satellite.astype("f8").reshape(-1, columns, depth)
        ):
            crops = [np.roll(a, -s, axis=0)[: len(g)] for s in range(columns)]
            products = [(crop * g).sum() for crop in crops]
            best = shifts[i, j] = int(np.argmax(products))
            scores[i, j] = products[best] / np.linalg.norm(crops[best])
    return scores, shifts


@pytest.mark.parametrize(("columns", "seen", "depth"), [(8, 8, 3), (7, 3, 4)])
def test_shifts_by_fourier_transform_are_all_shifts_tried(columns, seen, depth):
    ground = vectors(9, seen * depth)
    ground /= np.linalg.norm(ground, axis=1, keepdims=True)
    satellite = vectors(7, columns * depth, seed=1)
    expected, shifts = tried(ground, satellite, columns)
    scorer = ShiftScorer(columns)
    batch = np.asarray(scorer.of_batch(ground, satellite))
    np.testing.assert_allclose(batch, expected, atol=1e-6)
    out = np.empty((9, 7), "f4")
    scorer.tile(ground, satellite, out)
    np.testing.assert_allclose(out, expected, atol=1e-6)
    back = np.empty((7, 9), "f4")
    scorer.reversed().tile(satellite, ground, back)
    np.testing.assert_allclose(back.T, expected, atol=1e-6)
    pair = ground[:7], satellite
    np.testing.assert_allclose(
        scorer.exact(*pair), np.diagonal(expected), atol=1e-14
    )
    np.testing.assert_array_equal(scorer.shifts(*pair), np.diagonal(shifts))
    assert scorer.fits(seen * depth, columns * depth)
    assert scorer.reversed().fits(columns * depth, seen * depth)
    assert not scorer.fits(seen * depth + 1, columns * depth)
    assert scorer_of(scorer.reversed().plain()) == scorer.reversed()
    place, _ = ranks(*pair, scorer=scorer)
    own = np.diagonal(expected[:7])[:, None]
    np.testing.assert_array_equal(place, (expected[:7] >= own).sum(axis=1))
    place, _ = ranks(*pair[::-1], scorer=scorer.reversed())
    np.testing.assert_array_equal(place, (expected[:7].T >= own).sum(axis=1))
    rows, _ = SearchEngine(satellite, scorer).search(ground, 3)
    np.testing.assert_array_equal(rows, np.argsort(-expected, axis=1)[:, :3])


def test_blocks_of_pairs_and_equal_rows_of_shifts(monkeypatch):
    ground, satellite = vectors(30, 24), vectors(40, 32, seed=1)
    ground /= np.linalg.norm(ground, axis=1, keepdims=True)
    satellite[20:] = np.roll(satellite[:20].reshape(20, 8, 4), 3, 1).reshape(
        20, 32
    )
    scorer, whole = ShiftScorer(8), np.empty((30, 40), "f4")
    scorer.tile(ground, satellite, whole)
    monkeypatch.setattr(shift_scorer, "_BLOCK_ROWS", 7)
    monkeypatch.setattr(shift_scorer, "_BLOCK_NUMBERS", 8 * 7 * 11)
    parts = np.empty((30, 40), "f4")
    scorer.tile(ground, satellite, parts)
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    # A turned copy of a satellite image is as near: a tie.
    _, ties = ranks(ground, satellite, np.arange(30), scorer)
    assert (ties == 1).all()


def test_the_gradient_of_shifts_is_that_of_the_crop_that_was_taken():
    ground, satellite = vectors(3, 6), vectors(4, 10, seed=1)
    ground = tf.Variable(ground / np.linalg.norm(ground, axis=1, keepdims=True))
    satellite = tf.Variable(satellite)
    weights = vectors(3, 4, seed=2)
    _, shifts = tried(ground.numpy(), satellite.numpy(), 5)
    with tf.GradientTape(persistent=True) as tape:
        scores = ShiftScorer(5).of_batch(ground, satellite)
        found = tf.reduce_sum(weights * scores)
        wanted = 0.0
        for i, j in np.ndindex(3, 4):
            turned = tf.roll(tf.reshape(satellite[j], (5, 2)), -shifts[i, j], 0)
            crop = tf.reshape(turned[:3], [-1])
            cosine = tf.reduce_sum(crop * ground[i]) / tf.norm(crop)
            wanted += weights[i, j] * cosine
    for x in (ground, satellite):
        np.testing.assert_allclose(
            tape.gradient(found, x), tape.gradient(wanted, x), atol=1e-5
        )


@pytest.mark.parametrize("seen", [8, 3])
def test_headings_are_those_that_the_centre_column_was_turned_to(seen):
    aerial = vectors(8, 8 * 4).reshape(8, 8, 4)
    start = (8 - seen) / 2
    turned = [
        np.roll(a, -int(turn + start), axis=0)[:seen]
        for turn, a in enumerate(aerial)
    ]
    found = ShiftScorer(8).headings(
        np.reshape(turned, (8, -1)), aerial.reshape(8, -1)
    )
    off = 360 / 8 * (int(start) - start)
    np.testing.assert_allclose(found, (45 * np.arange(8) + off) % 360)


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
