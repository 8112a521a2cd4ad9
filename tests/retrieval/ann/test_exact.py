"""Exact engines against a full sort in float64, and against each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.retrieval.ann import open_engine
from mgtl_tf.retrieval.ann.engine import rerank
from mgtl_tf.retrieval.ann.faiss_search import BlockSearch, FlatSearch
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.utils import top_k as neighbours
from mgtl_tf.utils.errors import UserError

pytest.importorskip("faiss")
BOTH = [BlockSearch, FlatSearch]


def unit_rows(count, size, seed):
    rows = np.random.default_rng(seed).normal(size=(count, size))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


def full_sort(queries, gallery, top_k, rows=None):
    similarities = queries.astype(np.float64) @ gallery.astype(np.float64).T
    similarities = similarities.astype(np.float32)
    allowed = np.arange(len(gallery)) if rows is None else np.unique(rows)
    order = np.argsort(-similarities[:, allowed], axis=1, kind="stable")
    found = allowed[order[:, :top_k]]
    return found, np.take_along_axis(similarities, found, axis=1)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(BOTH),
    st.integers(0, 7),
    st.integers(1, 90),
    st.integers(2, 17),
    st.integers(1, 12),
    st.none() | st.lists(st.integers(0, 89), max_size=40),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_equals_a_full_sort(
    engine, queries, count, size, top_k, rows, crowded, seed
):
    gallery = unit_rows(count, size, seed)
    if crowded:  # many equal rows: ties, also across the list's end
        gallery = gallery[np.arange(count) % 3 * (count > 2)]
    if rows is not None:
        rows = np.array([row for row in rows if row < count], np.int64)
    wanted = unit_rows(queries, size, seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_BLOCK_NUMBERS", 64)
        found = engine(gallery).search(wanted, top_k, rows)
    expected = full_sort(wanted, gallery, top_k, rows)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-6)
    assert (found[0].dtype, found[1].dtype) == (np.int64, np.float32)


def test_both_agree_on_ties_of_long_rows():
    # Long rows, so that the matrix product rounds equal rows differently.
    gallery = np.repeat(unit_rows(3, 1537, 0), 67, axis=0)
    queries = unit_rows(30, 1537, 1)
    blocks, flat = (e(gallery).search(queries, 70) for e in BOTH)
    np.testing.assert_array_equal(blocks[0], flat[0])
    np.testing.assert_array_equal(blocks[1], flat[1])
    assert (np.diff(flat[0][:, :67], axis=1) == 1).all()


def test_a_gallery_in_rising_order():
    """Every block beats all before it: none may be passed over."""
    angles = np.linspace(np.pi / 2, 0, 1000)
    gallery = np.float32(np.stack([np.cos(angles), np.sin(angles)], 1))
    query = np.float32([[1, 0]])
    for engine in BOTH:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(neighbours, "_BLOCK_NUMBERS", 64)
            rows, _ = engine(gallery).search(query, 3)
        assert rows.tolist() == [[999, 998, 997]]


def test_a_mapped_gallery_is_not_copied(tmp_path):
    np.save(tmp_path / "gallery.npy", unit_rows(30, 8, 1))
    gallery = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    engine = FlatSearch(gallery)
    assert np.shares_memory(engine.descriptors, gallery)
    rows, _ = engine.search(np.asarray(gallery[[4, 29]]), 1)
    assert rows.tolist() == [[4], [29]]


@pytest.mark.parametrize("engine", BOTH)
@pytest.mark.parametrize(
    ("queries", "gallery", "top_k", "rows", "message"),
    [
        (np.ones(3), np.ones((2, 3)), 1, None, "must be"),
        (np.ones((1, 3)), np.ones((2, 4)), 1, None, "length of the queries"),
        (np.ones((1, 3)), np.ones((0, 3)), 1, None, "at least one row"),
        (np.ones((1, 3)), np.ones((2, 3)), 0, None, "top_k=0"),
        (np.full((1, 3), np.nan), np.ones((2, 3)), 1, None, "not finite"),
        (np.ones((1, 3)), np.full((2, 3), np.inf), 1, None, "not finite"),
        (np.ones((1, 3)), np.ones((2, 3)), 1, [2], "rows 2..2: .* 0..1"),
        (np.ones((1, 3)), np.ones((2, 3)), 1, [-1, 0], "rows -1..0"),
        (np.ones((1, 3)), np.ones((2, 3)), 1, [0.5], "integers"),
        (np.ones((1, 3)), np.ones((2, 3)), 1, [[0]], "integers"),
    ],
)
def test_refuses(engine, queries, gallery, top_k, rows, message):
    with pytest.raises(ValueError, match=message):
        engine(np.float32(gallery)).search(
            np.float32(queries),
            top_k,
            None if rows is None else np.array(rows),
        )


def test_short_list_is_ordered_and_gaps_passed_over():
    gallery = unit_rows(50, 9, 3)
    candidates = np.array([[7, 3, -1, 12, 44], [0, 1, 2, -1, -1]])
    rows, similarities = rerank(gallery[[3, 2]], gallery, candidates, 3)
    for query, line, found in zip([3, 2], candidates, rows, strict=True):
        expected = full_sort(gallery[[query]], gallery, 3, line[line >= 0])
        np.testing.assert_array_equal(found, expected[0][0])
    assert similarities[:, 0].tolist() == pytest.approx([1, 1])
    with pytest.raises(ValueError, match="fewer than 4"):
        rerank(gallery[[3, 2]], gallery, candidates, 4)


@pytest.fixture
def index(tmp_path):
    return Index(tmp_path, [], unit_rows(20, 4, 0), "f" * 64)


def test_faiss_is_taken_where_it_is_installed(monkeypatch, index):
    assert isinstance(open_engine(index), FlatSearch)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(open_engine(index), BlockSearch)
    with pytest.raises(UserError, match=r"pip install -e '.\[faiss\]'"):
        FlatSearch(index.descriptors)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"engine": "exat"}, "--engine=exat: must be one of exact, float16"),
        ({"backend": "fais"}, "--backend=fais: must be one of faiss"),
        ({"uri": "a.db"}, "--uri=a.db: --backend=faiss takes none"),
    ],
)
def test_unknown_names_are_one_line(index, names, message):
    with pytest.raises(UserError, match=message):
        open_engine(index, **names)
