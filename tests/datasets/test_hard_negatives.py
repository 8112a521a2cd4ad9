"""Hard negatives against brute force."""

import tracemalloc

import numpy as np
import pytest

from mgtl_tf.datasets.batch_sampler import mined_batches
from mgtl_tf.datasets.hard_negatives import mine_hard_negatives
from mgtl_tf.utils import top_k


def unit(rng, rows, size):
    x = rng.normal(size=(rows, size))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


def brute_force(ground, satellite, positions, metres, k):
    """Row by row in float64, by a full sort."""
    answers = []
    for i in range(len(ground)):
        distance = ((ground[i].astype("f8") - satellite) ** 2).sum(1)
        allowed = np.arange(len(ground)) != i
        if positions is not None:
            apart = np.sqrt(((positions - positions[i]) ** 2).sum(1))
            allowed &= apart >= metres
        order = [j for j in np.argsort(distance) if allowed[j]][:k]
        answers.append(order + [-1] * (min(k, len(ground) - 1) - len(order)))
    return answers


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(top_k, "_QUERY_ROWS", 7)
    monkeypatch.setattr(top_k, "_BLOCK_NUMBERS", 35)


@pytest.mark.parametrize("k", [1, 3, 6, 32, 100])
@pytest.mark.parametrize("axes", [None, 2, 3])
def test_nearest_equals_brute_force(small_tiles, k, axes):
    rng = np.random.default_rng(k)
    ground, satellite = unit(rng, 33, 6), unit(rng, 33, 6)
    positions = None
    if axes:
        positions = rng.uniform(0, 60, (33, axes)) + 6.1e6
    answers = mine_hard_negatives(ground, satellite, positions, 25.0, k)
    wanted = brute_force(ground, satellite, positions, 25.0, k)
    assert answers.tolist() == wanted


def test_same_place_is_strictly_nearer_than_the_radius():
    x = unit(np.random.default_rng(0), 3, 4)
    positions = np.array([[0.0, 0], [25, 0], [49, 0]])
    answers = mine_hard_negatives(x, x, positions, 25.0, 2)
    assert sorted(answers[0]) == [1, 2]
    assert answers[1].tolist() == [0, -1] and answers[2].tolist() == [0, -1]


def test_places_all_in_one_spot_have_no_wrong_ones():
    x = unit(np.random.default_rng(1), 6, 4)
    answers = mine_hard_negatives(x, x, np.zeros((6, 2)), 5.0, 3)
    assert (answers == -1).all()
    batches = mined_batches(answers, 2, np.random.default_rng(0))
    assert sorted(batches.ravel()) == list(range(6))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k": 0}, "k=0"),
        ({"satellite": np.eye(4, 5)}, r"satellite \(4, 5\)"),
        ({"positions": np.zeros((3, 2))}, "N = 4 rows"),
        ({"ground": np.diag([1, 1, np.nan, 1])}, "ground: row 2"),
        ({"satellite": np.diag([1, np.inf, 1, 1])}, "satellite: row 1"),
    ],
)
def test_arguments_that_do_not_fit(change, words):
    good = {"ground": np.eye(4), "satellite": np.eye(4), "positions": None}
    arguments = {**good, "same_place_metres": 5.0, "k": 2, **change}
    with pytest.raises(ValueError, match=words):
        mine_hard_negatives(**arguments)


def test_memory_stays_far_below_the_full_matrix():
    x = unit(np.random.default_rng(2), 12000, 4)  # [N, N] would be 576 MB
    tracemalloc.start()
    mine_hard_negatives(x, x, None, 25.0, 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 250e6


def similarities(ground, satellite, answers):
    """Exact cosines of the answers, -inf where there is none."""
    found = np.einsum(
        "nd,nkd->nk", ground.astype("f8"), satellite.astype("f8")[answers]
    )
    return np.where(answers < 0, -np.inf, found)


def crowded():
    """Duplicates everywhere, and crowds in one spot."""
    rng = np.random.default_rng(5)
    ground, satellite = unit(rng, 400, 16), unit(rng, 400, 16)
    satellite[100:200] = satellite[:100]
    satellite[300:] = satellite[300]
    # 120 places in one spot: more than the surplus that is fetched, and the
    # most similar ones of one another.
    positions = rng.uniform(0, 3000, (400, 2))
    positions[:120] = positions[0]
    ground[:120] = satellite[:120] = unit(rng, 1, 16)
    return ground, satellite, positions


def test_ties_and_crowds_are_as_similar_as_by_brute_force():
    ground, satellite, positions = crowded()
    answers = mine_hard_negatives(ground, satellite, positions, 25.0, 12)
    wanted = brute_force(ground, satellite, positions, 25.0, 12)
    np.testing.assert_allclose(
        similarities(ground, satellite, answers),
        similarities(ground, satellite, np.array(wanted)),
        atol=1e-6,
    )
    for i, row in enumerate(answers):
        assert len(set(row)) == 12 and i not in row
        apart = np.linalg.norm(positions[row] - positions[i], axis=1)
        assert apart.min() >= 25
