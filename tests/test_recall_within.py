"""Recall within metres against brute force, by its edges and its ties."""

import numpy as np
import pytest

from mgtl_tf.evaluation.descriptors import evaluate
from mgtl_tf.evaluation.positives import PositivesWithin
from mgtl_tf.metrics import DEFAULT_KS, ranks, recall
from mgtl_tf.utils import pairwise_distances, top_k


def recall_within(queries, gallery, here, there, metres=5.0, ks=DEFAULT_KS):
    return recall(queries, gallery, PositivesWithin(here, there, metres), ks)


def ranks_within(queries, gallery, here, there, metres):
    return ranks(queries, gallery, PositivesWithin(here, there, metres))


def unit(rng, rows, size):
    x = rng.normal(size=(rows, size))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(top_k, "_QUERY_ROWS", 7)
    monkeypatch.setattr(top_k, "_BLOCK_NUMBERS", 35)
    monkeypatch.setattr(pairwise_distances, "_COUNTED_ROWS", 3)


def brute_force_hits(queries, gallery, here, there, metres, k):
    """Share of queries any of whose K most similar lies within so far."""
    similarity = queries.astype("f8") @ gallery.astype("f8").T
    hits = 0
    for i, row in enumerate(similarity):
        top = np.argsort(-row)[:k]
        hits += (np.linalg.norm(there[top] - here[i], axis=1) <= metres).any()
    return hits / len(queries)


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("metres", [5.0, 12.0, 40.0])
def test_equals_brute_force(small_tiles, axes, metres):
    rng = np.random.default_rng(int(metres) + axes)
    queries, gallery = unit(rng, 33, 6), unit(rng, 41, 6)
    # UTM northings: float32 would be half a metre off.
    here = rng.uniform(0, 60, (33, axes)) + 6.09e6
    there = np.vstack([here + rng.normal(size=here.shape), here[:8]])
    found = recall_within(
        queries, gallery, here, there, metres, (1, 2, 5, 20, "10%")
    )
    for k, count in ((1, 1), (2, 2), (5, 5), (20, 20), ("10%", 4)):
        wanted = brute_force_hits(queries, gallery, here, there, metres, count)
        assert found[f"r@{k}"] == pytest.approx(wanted), k
    assert found["ties"] == 0
    # With its own place 5 m off or less, every query has a right answer.
    assert found["mean_rank"] <= 41


def test_the_radius_is_inclusive():
    x = np.eye(3, dtype="float32")
    here = np.array([[0.0, 0], [50, 0], [90, 0]]) + 6.09e6
    there = here + [3.0, 4.0]
    assert recall_within(x, x, here, there, 5.0)["r@1"] == 1.0
    assert recall_within(x, x, here, there, 4.999)["r@1"] == 0.0


def test_a_query_without_a_near_image_is_never_right():
    x = np.eye(3, dtype="float32")
    here = np.array([[0.0, 0], [50, 0], [900, 0]])
    there = np.array([[0.0, 0], [50, 0], [90, 0]])
    rank, ties = ranks_within(x, x, here, there, 5.0)
    assert rank.tolist() == [1, 1, 4] and ties.tolist() == [0, 0, 0]
    assert recall_within(x, x, here, there, ks=(10,))["r@10"] == 2 / 3


def test_ties_count_against_the_model_but_not_among_right_answers():
    one = np.full((1, 64), 0.125, "float32")
    same = np.tile(one, (4, 1))
    places = np.array([[0.0, 0], [3, 0], [90, 0], [200, 0]])
    rank, ties = ranks_within(same, same, places, places, 5.0)
    # Places 0 and 1 are right for each other: two wrong ones tie.
    assert rank.tolist() == [3, 3, 4, 4] and ties.tolist() == [2, 2, 3, 3]


def test_positions_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="gallery_positions: row 1"):
        PositivesWithin(np.zeros((3, 2)), [[0, 0], [np.inf, 0], [0, 0]], 5.0)
    with pytest.raises(ValueError, match="number of axes"):
        PositivesWithin(np.zeros((3, 2)), np.zeros((3, 3)), 5.0)
    with pytest.raises(ValueError, match="query_positions has shape"):
        PositivesWithin(np.zeros(3), np.zeros((3, 3)), 5.0)


def within(ground, satellite, places, metres=25.0):
    result = evaluate(ground, satellite, places, metres=metres)
    return result["ground_to_satellite"][f"within_{metres:g}m"]


def test_first_answers_within_metres_equal_brute_force(small_tiles):
    rng = np.random.default_rng(6)
    satellite, ground = unit(rng, 40, 6), unit(rng, 40, 6)
    places = rng.uniform(0, 60, (40, 3)) + 6.1e6
    first = ((ground[:, None] - satellite) ** 2).sum(2).argmin(1)
    metres = np.linalg.norm(places - places[first], axis=1)
    for radius in (15.0, 25.0, 40.0):
        share = within(ground, satellite, places, radius)
        assert share == np.mean(metres <= radius)
    assert 0 < np.mean(metres <= 25) < 1


def test_every_tied_first_answer_must_lie_within():
    same = np.tile(unit(np.random.default_rng(7), 1, 64), (3, 1))
    near, far = [[0, 0], [9, 0], [25, 0]], [[0, 0], [9, 0], [90, 0]]
    assert within(same, same, np.array(near, float)) == 1.0
    assert within(same, same, np.array(far, float)) == 0.0
