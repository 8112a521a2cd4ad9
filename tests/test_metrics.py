"""Recall against float64 brute force and hand-made cases."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf import metrics
from mgtl_tf.metrics import ranks, recall
from mgtl_tf.utils import pairwise_distances, top_k


def unit(rng, rows, size):
    x = rng.normal(size=(rows, size))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


def brute_force(queries, gallery, truth):
    """Ranks and ties by full float64 distances."""
    q, g = queries.astype("float64"), gallery.astype("float64")
    distances = ((q[:, None] - g) ** 2).sum(2)
    own = distances[np.arange(len(q)), truth][:, None]
    wrong = np.arange(len(g)) != truth[:, None]
    ties = ((distances == own) & wrong).sum(1)
    return 1 + ((distances < own) & wrong).sum(1) + ties, ties


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(top_k, "_QUERY_ROWS", 7)
    monkeypatch.setattr(top_k, "_BLOCK_NUMBERS", 35)
    monkeypatch.setattr(pairwise_distances, "_COUNTED_ROWS", 3)
    monkeypatch.setattr(pairwise_distances, "_FLOAT64_ROWS", 3)


def test_hand_made_case():
    gallery = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    queries = np.array([[0.1, 0], [0.9, 0.2], [0, 0.4]])
    rank, ties = ranks(queries, gallery, [0, 3, 2])
    assert rank.tolist() == [1, 2, 2] and ties.tolist() == [0, 0, 0]
    result = recall(queries, gallery, [0, 3, 2], ks=(1, 2, "50%"))
    assert result == {
        "r@1": pytest.approx(1 / 3),
        "r@2": 1.0,
        "r@50%": 1.0,
        "ties": 0,
        "mean_rank": pytest.approx(5 / 3),
        "median_rank": 2.0,
    }


# Small whole numbers: every float32 product is exact, and ties are many.
@settings(max_examples=150)
@given(st.data())
def test_whole_numbers_equal_brute_force(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    rows, places = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    size = data.draw(st.integers(1, 6))
    span = data.draw(st.sampled_from([2, 4, 30]))
    queries = rng.integers(-span, span, (rows, size))
    gallery = rng.integers(-span, span, (places, size))
    truth = rng.integers(0, places, rows)
    rank, ties = ranks(queries, gallery, truth)
    wanted_rank, wanted_ties = brute_force(queries, gallery, truth)
    np.testing.assert_array_equal(rank, wanted_rank)
    np.testing.assert_array_equal(ties, wanted_ties)


def test_whole_numbers_in_many_tiles(small_tiles):
    rng = np.random.default_rng(0)
    queries = rng.integers(-3, 4, (23, 4)).astype("float32")
    gallery = rng.integers(-3, 4, (31, 4)).astype("float32")
    truth = rng.integers(0, 31, 23)
    rank, ties = ranks(queries, gallery, truth)
    wanted_rank, wanted_ties = brute_force(queries, gallery, truth)
    np.testing.assert_array_equal(rank, wanted_rank)
    np.testing.assert_array_equal(ties, wanted_ties)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_unit_vectors_equal_brute_force(dtype):
    rng = np.random.default_rng(1)
    gallery = unit(rng, 300, 48)
    queries = (gallery + 0.25 * rng.normal(size=gallery.shape)).astype(dtype)
    gallery = gallery.astype(dtype)
    wanted, _ = brute_force(queries, gallery, np.arange(300))
    rank, _ = ranks(queries, gallery)
    np.testing.assert_array_equal(rank, wanted)
    result = recall(queries, gallery)
    for k in (1, 5, 10):
        assert result[f"r@{k}"] == np.mean(wanted <= k)
    assert result["r@1%"] == np.mean(wanted <= 3)
    assert 0 < result["r@1"] < 1


def test_lengths_matter_beyond_the_angle():
    # The right angle at the wrong length is farther than a near neighbour.
    gallery = np.array([[10.0, 0], [1, 0.5]])
    assert ranks(np.array([[1.0, 0]]), gallery, [0])[0].tolist() == [2]


def test_one_giant_row_does_not_make_others_tie():
    rng = np.random.default_rng(2)
    gallery = unit(rng, 20, 8)
    queries = gallery.copy()
    gallery[7] *= 1e9
    rank, ties = ranks(queries, gallery)
    assert np.delete(rank, 7).max() == 1 and not ties.any()


@pytest.mark.parametrize(
    ("size", "rows"),
    [*itertools.product((1, 3, 511), (2, 29, 300)), (7680, 29), (7680, 100)],
)
@pytest.mark.parametrize("kind", ["constant", "rectified", "normal", "zero"])
def test_collapsed_descriptors_rank_last(size, rows, kind):
    rng = np.random.default_rng(3)
    one = {
        "constant": np.ones(size),
        "rectified": np.abs(rng.normal(size=size)),
        "normal": rng.normal(size=size),
        "zero": np.zeros(size),
    }[kind]
    one /= max(np.linalg.norm(one), 1e-12)
    same = np.tile(one.astype("float32"), (rows, 1))
    rank, ties = ranks(same, same)
    assert (rank == rows).all() and (ties == rows - 1).all()
    result = recall(same, same, ks=(1,))
    assert result["r@1"] == 0 and result["ties"] == rows


@pytest.mark.parametrize("constant", [True, False])
def test_collapse_under_noise_never_scores(constant):
    rng = np.random.default_rng(4)
    one = np.ones(7680) if constant else np.abs(rng.normal(size=7680))
    one /= np.linalg.norm(one)
    # The same noise in both views: exact arithmetic would score 100 %.
    noisy = (one + 1e-7 * rng.normal(size=(200, 7680))).astype("float32")
    result = recall(noisy, noisy)
    assert result["r@1"] == 0 and result["r@10"] == 0


@pytest.mark.parametrize("size", [5, 7680])
def test_duplicates_tie_wherever_they_stand(size):
    rng = np.random.default_rng(5)
    gallery = unit(rng, 230, size)
    gallery[[3, 100, 229]] = gallery[50]
    rank, ties = ranks(gallery, gallery)
    copies = [3, 50, 100, 229]
    assert (ties[copies] == 3).all() and (rank[copies] == 4).all()
    assert recall(gallery, gallery)["ties"] == 4
    assert np.delete(rank, copies).max() == 1


def test_a_duplicate_ties_for_a_single_query():
    # One query goes through matrix-vector code, which sums differently.
    one = np.full((1, 10239), 10239**-0.5, "float32")
    rank, ties = ranks(one, np.tile(one, (1003, 1)), [1001])
    assert rank.tolist() == [1003] and ties.tolist() == [1002]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("side", ["queries", "gallery"])
def test_values_that_are_not_finite_raise(bad, side):
    pair = {n: np.ones((9, 4), "float32") for n in ("queries", "gallery")}
    pair[side][6, 2] = bad
    with pytest.raises(ValueError, match=f"{side}: row 6 .*not finite"):
        recall(**pair)


@pytest.mark.parametrize(
    ("share", "size", "wanted"),
    [
        ("1%", 8884, 88),
        ("1%", 5, 1),
        ("1%", 100, 1),
        ("1%", 199, 1),
        ("1%", 200, 2),
        ("29%", 100, 29),
        ("0.1%", 8884, 8),
        (10, 3, 10),
    ],
)
def test_shares_of_the_gallery(share, size, wanted):
    assert metrics.count_of(share, size) == wanted


@pytest.mark.parametrize("k", [0, -1, 1.5, "x%", "1/0%", "0%", "5", None])
def test_unreadable_k_is_named(k):
    with pytest.raises(ValueError, match="ks holds"):
        recall(np.eye(3), np.eye(3), ks=(k,))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.eye(3), np.eye(4, 3)), "truth.*must be given"),
        ((np.eye(3), np.eye(3, 4)), r"columns D"),
        ((np.ones(3), np.eye(3)), r"queries has shape \(3,\)"),
        ((np.ones((0, 3)), np.eye(3)), "at least one row"),
        ((np.eye(3), np.eye(3), [0, 1]), r"\[Q\] = \(3,\)"),
        ((np.eye(3), np.eye(3), [0, 1, 3]), r"truth\[2\] = 3.*below 3"),
        ((np.eye(3), np.eye(3), [0, -1, 2]), r"truth\[1\] = -1"),
        ((np.eye(3), np.eye(3), [0.0, 1.0, 2.0]), "whole numbers"),
    ],
)
def test_arguments_that_do_not_fit(arguments, words):
    with pytest.raises(ValueError, match=words):
        ranks(*arguments)


def test_memory_stays_far_below_the_full_matrix():
    rng = np.random.default_rng(8)
    x = unit(rng, 10000, 4)  # [Q, N] would be 400 MB
    tracemalloc.start()
    ranks(x, x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 180e6
