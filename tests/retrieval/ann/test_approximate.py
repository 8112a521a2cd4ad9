"""Approximate engines: exact similarities, bounded loss, tied to a gallery."""

import dataclasses
import json

import numpy as np
import pytest

from mgtl_tf.retrieval.ann import build_engine, open_engine, summary
from mgtl_tf.retrieval.ann.measuring import (
    compare,
    gallery_noise,
    synthetic_queries,
)
from mgtl_tf.utils.errors import UserError
from tests.retrieval.ann.fill_milvus import gallery_of, unit_rows

faiss = pytest.importorskip("faiss")
N, D = 1500, 64
NAMES = ["float16", "int8", "pca", "ivfpq"]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Places in 30 groups, with ten duplicates of row 7 at the end."""
    centres = unit_rows(30, D, 1)
    rows = centres[np.arange(N) % 30] + 0.5 * unit_rows(N, D, 2)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[-10:] = rows[7]
    made = gallery_of(tmp_path_factory.mktemp("index"), np.float32(rows))
    for name in NAMES:
        build_engine(made, name, progress=False)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_similarities_and_order_are_exact(index, name):
    rng = np.random.default_rng(5)
    queries, _ = synthetic_queries(index.descriptors[:-10], 50, rng, 0.4)
    engine = open_engine(index, name)
    found, similarities = engine.search(queries, 12)
    assert found.shape == similarities.shape == (50, 12)
    assert (found.dtype, similarities.dtype) == (np.int64, np.float32)
    products = queries.astype("f8") @ index.descriptors.astype("f8").T
    expected = np.take_along_axis(products, found, axis=1)
    np.testing.assert_allclose(similarities, expected, atol=1e-6)
    exact = np.argsort(-products, axis=1, kind="stable")[:, :12]
    assert (found[:, 0] == exact[:, 0]).mean() > 0.95
    shared = (found[:, :, None] == exact[:, None, :]).any(axis=1)
    assert shared.mean() > 0.9
    assert (np.diff(similarities, axis=1) <= 0).all()
    assert all(len(set(line)) == 12 for line in found.tolist())


@pytest.mark.parametrize("name", NAMES)
def test_ties_rows_and_large_k(index, name):
    engine = open_engine(index, name)
    query = index.descriptors[[7]]
    found, _ = engine.search(query, 11)
    assert found.tolist() == [[7, *range(N - 10, N)]]
    allowed = np.array([900, 3, 7, 44, 7])
    found, similarities = engine.search(query, 9, allowed)
    assert sorted(found[0].tolist()) == [3, 7, 44, 900]
    assert found[0, 0] == 7 and similarities[0, 0] == pytest.approx(1)
    assert engine.search(query, 5, np.array([], np.int64))[0].shape == (1, 0)
    found, _ = engine.search(query, N + 1)
    assert sorted(found[0].tolist()) == list(range(N))
    assert engine.search(query[:0], 3)[0].shape == (0, 3)
    with pytest.raises(ValueError, match="not finite"):
        engine.search(query * np.nan, 3)
    with pytest.raises(ValueError, match="top_k=0"):
        engine.search(query, 0)


@pytest.mark.parametrize("name", NAMES)
def test_size_and_recall_are_stored(index, name):
    folder = index.folder / "engines" / name
    stored = json.loads((folder / "engine.json").read_text())
    measured = stored["measured"]
    assert stored["bytes"] == (folder / "index.faiss").stat().st_size
    assert measured["recall@10"] >= 0.995 * measured["exact_recall@10"]
    assert 0 < measured["exact_recall@1"] <= measured["exact_recall@10"] <= 1
    assert {f.name for f in folder.iterdir()} == {"engine.json", "index.faiss"}
    assert {f.name for f in folder.parent.iterdir()} == set(NAMES)
    lines = summary(stored)
    assert f"{measured['recall@1']:.3f}" in lines[0]


def test_damage_and_what_is_stale_are_one_line(tmp_path):
    index = gallery_of(tmp_path, unit_rows(300, 16, 0))
    remedy = "--output_dir=.* --engine=int8"
    with pytest.raises(UserError, match=f"has no engine int8.*{remedy}"):
        open_engine(index, "int8")
    folder = tmp_path / "engines" / "int8"

    def refused(match, index=index):
        with pytest.raises(UserError, match=f"{match}.*{remedy}") as error:
            open_engine(index, "int8")
        assert "\n" not in str(error.value)
        build_engine(index, "int8", progress=False)
        open_engine(index, "int8")

    build_engine(index, "int8", progress=False)
    data = (folder / "index.faiss").read_bytes()
    (folder / "index.faiss").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    refused("index.faiss: damaged")
    (folder / "index.faiss").unlink()
    refused("index.faiss: missing")
    for text in ("{", "[]", "{}", '{"format": 2}'):
        (folder / "engine.json").write_text(text)
        refused("engine.json: damaged")
    (tmp_path / "index.json").write_text('{"created": "later"}')
    refused("other descriptors")
    other = dataclasses.replace(index, descriptors=unit_rows(300, 16, 1))
    refused("other descriptors", other)
    shorter = dataclasses.replace(index, descriptors=index.descriptors[:299])
    refused("other descriptors", shorter)


def test_an_interrupt_leaves_the_older_engine(tmp_path, monkeypatch):
    index = gallery_of(tmp_path, unit_rows(300, 16, 0))
    build_engine(index, "float16", progress=False)
    before = (tmp_path / "engines/float16/engine.json").read_text()

    def stopped(built, path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(faiss, "write_index", stopped)
        with pytest.raises(KeyboardInterrupt):
            build_engine(index, "float16", progress=False)
    assert (tmp_path / "engines/float16/engine.json").read_text() == before
    names = [p.name for p in (tmp_path / "engines").iterdir()]
    assert names == ["float16"]

    def full(built, path):
        raise RuntimeError("Error in write: No space left on device\nat ...")

    with monkeypatch.context() as patch:
        patch.setattr(faiss, "write_index", full)
        with pytest.raises(UserError, match="No space left.*make room"):
            build_engine(index, "float16", progress=False)
    open_engine(index, "float16")


def test_refuses_to_build(tmp_path):
    small = gallery_of(tmp_path / "small", unit_rows(999, 16, 0))
    with pytest.raises(UserError, match="ivfpq: needs 1,000 .* are 999"):
        build_engine(small, "ivfpq", progress=False)
    with pytest.raises(UserError, match="of 16 numbers, .*have 8"):
        build_engine(small, "pca", training=unit_rows(9, 8, 0), progress=False)
    short = gallery_of(tmp_path / "short", unit_rows(1000, 4, 0))
    with pytest.raises(UserError, match="of 4 numbers are too short"):
        build_engine(short, "ivfpq", progress=False)
    broken = unit_rows(300, 16, 0)
    broken[17] = np.nan
    with pytest.raises(UserError, match="not finite"):
        build_engine(gallery_of(tmp_path, broken), "int8", progress=False)
    (tmp_path / "engines").write_text("a file")
    with pytest.raises(UserError, match="engines"):
        build_engine(gallery_of(tmp_path, broken[:9]), "int8", progress=False)
    assert build_engine(small, "exact", progress=False) == {}
    assert summary({}) == []


def test_pca_learns_from_a_training_gallery(tmp_path):
    """One whose places differ in the first eight numbers only."""
    training = np.zeros((500, 16), np.float32)
    training[:, :8] = unit_rows(500, 8, 3)
    index = gallery_of(tmp_path, unit_rows(300, 16, 0))
    build_engine(index, "pca", training=training, progress=False)
    built = faiss.read_index(str(tmp_path / "engines/pca/index.faiss"))
    pca = faiss.downcast_VectorTransform(built.chain.at(0))
    matrix = faiss.vector_to_array(pca.PCAMat).reshape(16, 16)
    assert np.abs(matrix[:8, 8:]).max() < 1e-4


def test_whitened_components_have_one_variance(tmp_path):
    rows = unit_rows(4000, 16, 0) * np.geomspace(1, 0.1, 16)
    rows = np.float32(rows + 0.3)
    recipe_index = gallery_of(tmp_path, rows)
    build_engine(recipe_index, "pca", progress=False)
    built = faiss.read_index(str(tmp_path / "engines/pca/index.faiss"))
    pca = faiss.downcast_VectorTransform(built.chain.at(0))
    components = pca.apply(rows)
    covariance = 4000 * np.cov(components.T)
    np.testing.assert_allclose(covariance, np.eye(16), atol=0.02)


class Fixed:
    """Answers with what it was given."""

    def __init__(self, rows):
        self.rows = np.array(rows)

    def search(self, queries, top_k, rows=None):
        return self.rows, np.zeros(self.rows.shape, np.float32)


def test_comparison_by_hand():
    exact = np.array([[1, 2], [3, 4]])
    engine = Fixed([[1, 7], [4, 3]])
    measured = compare(engine, np.zeros((2, 4)), np.array([7, 4]), exact)
    assert (measured["same@1"], measured["same@10"]) == (0.5, 0.75)
    assert (measured["recall@1"], measured["recall@10"]) == (0.5, 1)
    assert measured["exact_recall@10"] == 0.5


def test_queries_are_like_the_gallery():
    rows = unit_rows(3000, 12, 0) * np.geomspace(1, 0.1, 12)
    rows = np.float32(rows + 1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    noise = gallery_noise(rows, 5000, rng)
    np.testing.assert_allclose(np.cov(noise.T), np.cov(rows.T), atol=2e-3)
    queries, truth = synthetic_queries(rows, 50, rng, 0.0)
    np.testing.assert_allclose(queries, rows[truth], atol=1e-6)
    queries, truth = synthetic_queries(rows, 5000, rng)
    assert sorted(set(truth.tolist())) == list(range(3000))
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-5)
