"""Exact search and re-ranking against a full sort in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.ann import SearchEngine, open_engine
from mgtl_tf.retrieval.ann.engine import rerank
from mgtl_tf.utils import top_k as neighbours
from mgtl_tf.utils.errors import UserError
from tests.retrieval.ann.fill_milvus import unit_rows


def full_sort(queries, gallery, top_k, rows=None):
    similarities = queries.astype(np.float64) @ gallery.astype(np.float64).T
    similarities = similarities.astype(np.float32)
    allowed = np.arange(len(gallery)) if rows is None else np.unique(rows)
    order = np.argsort(-similarities[:, allowed], axis=1, kind="stable")
    found = allowed[order[:, :top_k]]
    return found, np.take_along_axis(similarities, found, axis=1)


@settings(max_examples=60)
@given(
    st.integers(0, 7),
    st.integers(1, 90),
    st.integers(2, 17),
    st.integers(1, 12),
    st.none() | st.lists(st.integers(0, 89), max_size=40),
    st.booleans(),
    st.integers(1, 64),
    st.integers(0, 10**6),
)
def test_equals_a_full_sort_at_any_block_size(
    queries, count, size, top_k, rows, crowded, numbers, seed
):
    gallery = unit_rows(count, size, seed)
    if crowded:  # many equal rows: ties, also across the list's end
        gallery = gallery[np.arange(count) % 3 * (count > 2)]
    if rows is not None:
        rows = np.array([row for row in rows if row < count], np.int64)
    wanted = unit_rows(queries, size, seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_BLOCK_NUMBERS", numbers)
        patch.setattr(neighbours, "_QUERY_ROWS", 3)
        found = SearchEngine(gallery).search(wanted, top_k, rows)
    expected = full_sort(wanted, gallery, top_k, rows)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-6)
    assert (found[0].dtype, found[1].dtype) == (np.int64, np.float32)


def test_equal_places_come_in_the_order_of_the_gallery():
    # Long rows, so that the matrix product rounds equal rows differently.
    gallery = np.repeat(unit_rows(3, 1537, 0), 67, axis=0)
    rows, similarities = SearchEngine(gallery).search(gallery[[70]], 8)
    assert rows.tolist() == [list(range(67, 75))]
    assert len(set(similarities[0].tolist())) == 1
    rows, _ = SearchEngine(gallery).search(unit_rows(30, 1537, 1), 70)
    assert (np.diff(rows[:, :67], axis=1) == 1).all()


def test_a_gallery_in_rising_order(monkeypatch):
    """Every block beats all before it: none may be skipped."""
    monkeypatch.setattr(neighbours, "_BLOCK_NUMBERS", 64)
    angles = np.linspace(np.pi / 2, 0, 1000)
    gallery = np.float32(np.stack([np.cos(angles), np.sin(angles)], 1))
    rows, _ = SearchEngine(gallery).search(np.float32([[1, 0]]), 3)
    assert rows.tolist() == [[999, 998, 997]]


def test_memory_mapped_gallery(tmp_path):
    np.save(tmp_path / "gallery.npy", unit_rows(30, 8, 1))
    gallery = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    rows, _ = SearchEngine(gallery).search(np.asarray(gallery[[4, 29]]), 1)
    assert rows.tolist() == [[4], [29]]


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
def test_refuses(queries, gallery, top_k, rows, message):
    engine = SearchEngine(np.float32(gallery))
    rows = None if rows is None else np.array(rows)
    with pytest.raises(ValueError, match=message):
        engine.search(np.float32(queries), top_k, rows)


def test_one_place_that_is_not_finite_is_not_skipped(tmp_path):
    """As of a file too large to be read completely when it is opened."""
    descriptors = unit_rows(300, 16, 0)
    descriptors[7, 3] = np.nan
    engine = open_engine(Index(tmp_path, [], descriptors, "f" * 64))
    with pytest.raises(ValueError, match="not finite"):
        engine.search(descriptors[:2], 3)


def test_candidates_are_ordered_exactly():
    gallery = unit_rows(50, 9, 3)
    candidates = np.array([[7, 3, -1, 12, 44], [0, 1, 2, -1, -1]])
    rows, similarities = rerank(gallery[[3, 2]], gallery, candidates, 3)
    for query, line, found in zip([3, 2], candidates, rows, strict=True):
        expected = full_sort(gallery[[query]], gallery, 3, line[line >= 0])
        np.testing.assert_array_equal(found, expected[0][0])
    assert similarities[:, 0].tolist() == pytest.approx([1, 1])
    # With fewer candidates than answers, all rows are compared.
    rows, _ = rerank(gallery[[3, 2]], gallery, candidates, 4)
    assert (
        rows[0].tolist()
        == full_sort(gallery[[3]], gallery, 4, np.array([3, 7, 12, 44]))[0][
            0
        ].tolist()
    )
    assert (
        rows[1].tolist() == full_sort(gallery[[2]], gallery, 4)[0][0].tolist()
    )


def test_engines_by_name(monkeypatch, tmp_path):
    index = Index(tmp_path, [], unit_rows(20, 4, 0), "f" * 64)
    for names, message in (
        ({"engine": "exat"}, "engine=exat: must be one of exact, float16"),
        ({"backend": "fais"}, "backend=fais: must be one of faiss"),
        ({"uri": "a.db"}, "uri=a.db: backend=faiss takes none"),
    ):
        with pytest.raises(UserError, match=message):
            open_engine(index, **names)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert type(open_engine(index)) is SearchEngine
    with pytest.raises(UserError, match=r"pip install -e '.\[faiss\]'"):
        open_engine(index, "int8")
