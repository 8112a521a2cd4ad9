"""Exact search against a full sort in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.retrieval.search import search
from mgtl_tf.utils import top_k as neighbours


def unit_rows(count, size, seed):
    rows = np.random.default_rng(seed).normal(size=(count, size))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


def brute_force(queries, gallery, top_k):
    similarities = queries.astype(np.float64) @ gallery.astype(np.float64).T
    similarities = similarities.astype(np.float32)
    rows = np.argsort(-similarities, axis=1, kind="stable")[:, :top_k]
    return rows, np.take_along_axis(similarities, rows, axis=1)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 40),
    st.integers(2, 17),
    st.integers(1, 12),
    st.integers(1, 64),
    st.integers(0, 10**6),
)
def test_equals_a_full_sort_at_any_block_size(
    queries, count, size, top_k, numbers, seed
):
    gallery = unit_rows(count, size, seed)
    wanted = unit_rows(queries, size, seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_BLOCK_NUMBERS", numbers)
        patch.setattr(neighbours, "_QUERY_ROWS", 3)
        rows, similarities = search(wanted, gallery, top_k)
    expected_rows, expected = brute_force(wanted, gallery, top_k)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(similarities, expected, atol=1e-6)


def test_equal_places_come_in_the_order_of_the_gallery():
    # Long rows, so that the matrix product rounds equal rows differently.
    gallery = np.repeat(unit_rows(3, 1537, 0), 67, axis=0)
    rows, similarities = search(gallery[[70]], gallery, top_k=8)
    assert rows.tolist() == [[67, 68, 69, 70, 71, 72, 73, 74]]
    assert len(set(similarities[0].tolist())) == 1


def test_ties_across_blocks(monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK_NUMBERS", 12)
    gallery = np.tile(np.float32([[1, 0]]), (40, 1))
    rows, _ = search(np.float32([[1, 0], [0, 1]]), gallery, top_k=7)
    assert rows.tolist() == [list(range(7))] * 2


def test_small_gallery_gives_all_of_it():
    gallery = np.eye(3, dtype=np.float32)
    rows, similarities = search(gallery[[2]], gallery, top_k=10)
    assert rows.tolist() == [[2, 0, 1]]
    assert similarities.tolist() == [[1, 0, 0]]


def test_memory_mapped_gallery(tmp_path):
    np.save(tmp_path / "gallery.npy", unit_rows(30, 8, 1))
    gallery = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    rows, _ = search(np.asarray(gallery[[4, 29]]), gallery, top_k=1)
    assert rows.tolist() == [[4], [29]]


def test_no_queries():
    rows, similarities = search(np.empty((0, 4), "f4"), np.eye(4, dtype="f4"))
    assert rows.shape == similarities.shape == (0, 4)


@pytest.mark.parametrize(
    ("queries", "gallery", "top_k", "message"),
    [
        (np.ones(3), np.ones((2, 3)), 1, "must be"),
        (np.ones((1, 3)), np.ones((2, 4)), 1, "length of the queries"),
        (np.ones((1, 3)), np.ones((0, 3)), 1, "at least one row"),
        (np.ones((1, 3)), np.ones((2, 3)), 0, "top_k=0"),
        (np.full((1, 3), np.nan), np.ones((2, 3)), 1, "not finite"),
        (np.ones((1, 3)), np.full((2, 3), np.inf), 1, "not finite"),
    ],
)
def test_refuses(queries, gallery, top_k, message):
    with pytest.raises(ValueError, match=message):
        search(queries, gallery, top_k)
