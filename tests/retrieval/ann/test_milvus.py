"""Milvus Lite for real: built, searched, killed, reopened."""

import importlib.util
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mgtl_tf.retrieval.ann import (
    SearchEngine,
    build_engine,
    milvus,
    milvus_building,
    open_engine,
    summary,
)
from mgtl_tf.utils.errors import UserError
from tests.retrieval.ann.fill_milvus import gallery

ROOT = Path(__file__).parents[3]
HAVE = all(map(importlib.util.find_spec, ("pymilvus", "milvus_lite", "faiss")))
pytestmark = pytest.mark.skipif(not HAVE, reason="no Milvus Lite here")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("milvus")


@pytest.fixture(scope="module")
def index(home):
    """700 places, the last six of them alike."""
    made = gallery(home / "index")
    made.descriptors[-6:] = made.descriptors[7]
    return made


@pytest.fixture(scope="module")
def uri(home, index):
    """A file that holds the gallery in three kinds of index."""
    uri = str(home / "places.db")
    for name in ("exact", "int8", "hnsw"):
        told = build_engine(index, name, "milvus", uri, progress=False)
        assert "recall@10" in summary(told)[0]
    return uri


@pytest.fixture
def engine(index, uri, request):
    opened = open_engine(index, request.param, "milvus", uri)
    yield opened
    opened.close()


def queries(index, count=40):
    rng = np.random.default_rng(3)
    rows = index.descriptors[:count] + 0.1 * rng.normal(size=(count, 32))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


@pytest.mark.parametrize("engine", ["exact"], indirect=True)
def test_flat_equals_exact_search(engine, index):
    asked = queries(index, 300)  # more than are sent at once
    exact = SearchEngine(index.descriptors)
    prior = np.arange(690, 40, -7)
    for rows, top_k in ((None, 12), (prior, 12), (prior[:3], 12)):
        found, similarities = engine.search(asked, top_k, rows)
        expected = exact.search(asked, top_k, rows)
        np.testing.assert_array_equal(found, expected[0])
        np.testing.assert_array_equal(similarities, expected[1])
    everything, _ = engine.search(asked[:2], 700)
    assert np.sort(everything).tolist() == [list(range(700))] * 2
    found, _ = engine.search(index.descriptors[[7]], 7)
    assert found.tolist() == [[7, 694, 695, 696, 697, 698, 699]]
    assert engine.search(asked[:0], 3)[0].shape == (0, 3)
    assert engine.search(asked, 3, np.array([], int))[0].shape == (300, 0)
    for bad, top_k, rows in (
        (asked[0], 1, None),
        (asked, 0, None),
        (asked * np.nan, 1, None),
        (asked, 1, np.array([700])),
    ):
        with pytest.raises(ValueError):
            engine.search(bad, top_k, rows)


@pytest.mark.parametrize("engine", ["exact"], indirect=True)
def test_more_answers_than_there_are_or_than_a_server_gives(
    engine, index, monkeypatch
):
    asked = queries(index, 2)
    expected = SearchEngine(index.descriptors).search(asked, 20_000)
    for top_k in (20_000, 10**30):
        found = engine.search(asked, top_k)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
    # As if the server returned fewer than the gallery has.
    monkeypatch.setattr(milvus, "_MOST", 600)
    for top_k in (560, 601):
        found, _ = engine.search(asked, top_k)
        np.testing.assert_array_equal(found, expected[0][:, :top_k])


@pytest.mark.parametrize("engine", ["int8", "hnsw"], indirect=True)
def test_others_agree_within_bounds(engine, index):
    """Nine of ten exact rows, and always the exact similarities."""
    asked = queries(index)
    found, similarities = engine.search(asked, 10)
    expected, _ = SearchEngine(index.descriptors).search(asked, 10)
    shared = (found[:, :, None] == expected[:, None, :]).any(axis=1)
    assert shared.mean() >= 0.9
    products = np.einsum("qd,qkd->qk", asked, index.descriptors[found])
    np.testing.assert_allclose(similarities, products, atol=1e-6)


def test_killed_while_filling_then_continued(tmp_path, monkeypatch):
    """SIGKILL in the middle: not whole, not locked, and continued."""
    command = [sys.executable, "-m", "tests.retrieval.ann.fill_milvus"]
    with subprocess.Popen(
        [*command, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    ) as filling:
        for _ in range(3):
            assert filling.stdout.readline() == b"batch\n"
        index, uri = gallery(tmp_path / "index"), str(tmp_path / "a.db")
        with pytest.raises(UserError, match="a.db.*in another process"):
            open_engine(index, "exact", "milvus", uri)
        filling.send_signal(signal.SIGKILL)
    with pytest.raises(
        UserError, match="no complete collection .*experiments.index"
    ):
        open_engine(index, "exact", "milvus", uri)
    # As if the kill had come within a batch.
    monkeypatch.setattr(milvus_building, "_BYTES", 4 * 32 * 40)
    written = []

    def bar(parts, *_, **__):
        written.extend(parts)
        return parts

    monkeypatch.setattr(milvus_building, "tqdm", bar)
    told = build_engine(index, "exact", "milvus", uri, progress=False)
    assert 120 <= written[0].start < 700 and written[-1].stop == 700
    assert told["places_per_second"] > 0
    engine = open_engine(index, "exact", "milvus", uri)
    # Every row once: a second copy would be its own nearest neighbour.
    rows = engine._candidates(index.descriptors, 1)
    assert all(len(set(row)) == len(row) for row in rows.tolist())
    assert rows[:, 0].tolist() == list(range(700))
    engine.close()


def test_another_gallery_or_state_is_refused(home, index, uri):
    other = gallery(home / "other", seed=1)
    for stale in (other, gallery(home / "index", seed=2)):
        with pytest.raises(UserError, match="no complete collection"):
            open_engine(stale, "exact", "milvus", uri)


def test_an_address_that_does_not_answer(index):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UserError, match="no Milvus answers.*refused"):
        open_engine(index, "exact", "milvus", address)


def test_an_address_where_something_else_is_silent(index, monkeypatch):
    monkeypatch.setattr(milvus, "_SECONDS", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(UserError, match=address) as error:
            open_engine(index, "exact", "milvus", address)
    assert "\n" not in str(error.value)
    # Not for ever: far more than it takes on a machine with much to do.
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("engine", "uri", "message"),
    [
        ("exact", None, "needs uri"),
        ("exact", "places", "must be a local file FILE.db"),
        ("exact", "ftp://host:1", "must be a local file FILE.db"),
        ("exact", "http://host:x", "uri=http://host:x"),
        ("exact", "/no/such/a.db", "no such folder"),
        ("exact", "FILE", "is not a gallery of this Milvus"),
        ("ivfpq", "a.db", "backend=milvus has exact, int8, hnsw"),
    ],
)
def test_wrong_flags_are_one_line(index, tmp_path, engine, uri, message):
    if uri == "FILE":
        uri = str(tmp_path / "old.db")
        Path(uri).write_text("an older Milvus Lite")
    for work in (open_engine, build_engine):
        with pytest.raises(UserError, match=message):
            work(index, engine, "milvus", uri)


def test_missing_library_is_told(index, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install -e '.\[milvus\]'"):
        open_engine(index, "exact", "milvus", "a.db")
