"""Searching a gallery of a million places, exactly and by IVF-PQ.

Makes a gallery of `--places` descriptors: those of a small one (`--gallery`,
an index of the demo's model; without it 1,000 clustered unit vectors of 1,920
numbers from a seed), tiled, each copy with Gaussian noise that has the small
gallery's covariance and half its spread. Queries are places with as much
noise again: their cosine to the place is about 0.9, and exact search misses a
few.

Prints how long the index takes to open; the time of one query and of
`--queries` by our exact search, bare FAISS, NumPy's brute force and IVF-PQ,
by the clock and by processor time; IVF-PQ's recall beside exact search's and
its resident memory beside that of the float32 descriptors; all against goals.
A million places need 8 GB in `--work_dir` and some minutes to an hour.

    python -m benchmarks.search [--places=1000000] [--gallery=demo/gallery]
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np
from absl import app, flags

from benchmarks.yardstick import unit_rows
from mgtl_tf.retrieval.ann import SearchEngine, build_engine, open_engine
from mgtl_tf.retrieval.ann.measuring import (
    compare,
    gallery_noise,
    synthetic_queries,
)
from mgtl_tf.retrieval.galleries.gallery import load_index
from mgtl_tf.retrieval.galleries.manifest import write_manifest
from mgtl_tf.retrieval.galleries.places import Place
from mgtl_tf.utils.processes import resident_bytes

_PLACES = flags.DEFINE_integer("places", 1_000_000, "N", lower_bound=2000)
_QUERIES = flags.DEFINE_integer("queries", 1000, "Q", lower_bound=10)
_GALLERY = flags.DEFINE_string("gallery", None, "index whose places are tiled")
_WORK_DIR = flags.DEFINE_string("work_dir", None, "folder for the gallery")

SMALL, SIZE = 1000, 1920
TILE_NOISE, QUERY_NOISE = 0.5, 0.5
ROWS, TOP_K = 8192, 10

Search = Callable[[np.ndarray], np.ndarray]


def main(argv: list[str]) -> None:
    """Makes the gallery, measures and prints."""
    del argv
    with tempfile.TemporaryDirectory(dir=_WORK_DIR.value) as name:
        folder = Path(name)
        _tell("gallery written", *_timed(lambda: _make(folder)))
        _tell("IVF-PQ built and measured", *_timed(lambda: _build(folder)))
        _measure(folder)


def _small() -> np.ndarray:
    """The descriptors that are tiled, float32 [n, D]."""
    if _GALLERY.value:
        return np.array(load_index(_GALLERY.value).descriptors)
    rng = np.random.default_rng(0)
    # Variances fall as 1 / rank, in directions of their own.
    falling = (1 + np.arange(SIZE, dtype=np.float32)) ** -0.5
    turned = np.linalg.qr(rng.standard_normal((SIZE, SIZE), np.float32))[0]
    rows = rng.standard_normal((SMALL, SIZE), np.float32) * falling
    return unit_rows(rows @ turned)


def _make(folder: Path) -> None:
    small, rng = _small(), np.random.default_rng(1)
    count = _PLACES.value
    descriptors = np.lib.format.open_memmap(
        folder / "descriptors.npy", "w+", "<f4", (count, small.shape[1])
    )
    for start in range(0, count, ROWS):
        rows = np.arange(start, min(count, start + ROWS)) % len(small)
        noise = TILE_NOISE * gallery_noise(small, len(rows), rng)
        descriptors[start : start + ROWS] = unit_rows(small[rows] + noise)
    descriptors.flush()
    del descriptors
    places = (
        Place(f"{i:07d}", folder / f"{i:07d}.jpg", (i * 1e-5, i * 2e-5))
        for i in range(count)
    )
    write_manifest(folder, places, folder, "0" * 64)


def _build(folder: Path) -> None:
    """In a process of its own: this one's memory stays as it is."""
    process = multiprocessing.get_context("spawn").Process(
        target=_build_ivf_pq, args=(folder,)
    )
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError("building failed")


def _build_ivf_pq(folder: Path) -> None:
    build_engine(
        load_index(folder), "ivfpq", difference=QUERY_NOISE, progress=False
    )


def _measure(folder: Path) -> None:
    index, clock, _ = _value_timed(lambda: load_index(folder))
    before = resident_bytes("RssAnon")
    engine, more, _ = _value_timed(lambda: open_engine(index, "ivfpq"))
    print(f"opened: index {clock:.2f} s, IVF-PQ {more:.2f} s (goal: under 5)")
    rng = np.random.default_rng(2)
    queries, truth = synthetic_queries(
        index.descriptors, _QUERIES.value, rng, QUERY_NOISE
    )
    engine.search(queries, TOP_K)
    memory = resident_bytes("RssAnon") - before
    whole = index.descriptors.nbytes
    print(
        f"IVF-PQ's memory: {memory / 1e6:.0f} MB resident, descriptors"
        f" {whole / 1e6:.0f} MB, ratio {memory / whole:.4f} (goal: 0.0625)"
    )
    exact = open_engine(index)
    rows = _times(index.descriptors, queries, exact, engine)
    told = compare(engine, queries, truth, rows)
    kept = told["recall@10"] / told["exact_recall@10"]
    print(
        f"recall@1 / @10: exact {told['exact_recall@1']:.3f} /"
        f" {told['exact_recall@10']:.3f}, IVF-PQ {told['recall@1']:.3f} /"
        f" {told['recall@10']:.3f}, of exact @10 {kept:.4f} (goal: 0.99); of"
        f" the exact ten {told['same@10']:.3f} found"
    )


def _times(
    gallery: np.ndarray,
    queries: np.ndarray,
    exact: SearchEngine,
    engine: SearchEngine,
) -> np.ndarray:
    """Prints all times; the exact rows [Q, K]."""
    ways: dict[str, Search] = {
        "exact": lambda q: exact.search(q, TOP_K)[0],
        "bare FAISS": lambda q: _bare_faiss(q, gallery),
        "NumPy": lambda q: _brute_force(q, gallery),
        "IVF-PQ": lambda q: engine.search(q, TOP_K)[0],
    }
    rows = {}
    for count in (1, len(queries)):
        asked, spent = queries[:count], {}
        for name, way in ways.items():
            repeats = 5 if count == 1 else 1
            rows[name], *spent[name] = _best(way, asked, repeats)
        for name, (clock, processor) in spent.items():
            faster = spent["bare FAISS"][0] / clock
            leaner = spent["bare FAISS"][1] / processor
            print(
                f"{count:5} queries, {name:10}: {1e3 * clock:10.1f} ms by the"
                f" clock, {1e3 * processor:10.1f} ms by processor;"
                f" {faster:.2f} / {leaner:.2f} times as fast as bare FAISS"
                + (" (goal: 20)" if name == "IVF-PQ" else "")
            )
    same = float(np.mean(rows["exact"] == rows["bare FAISS"]))
    print(f"exact rows equal to bare FAISS': {same:.5f}")
    return rows["exact"]


def _best(
    way: Search, asked: np.ndarray, repeats: int
) -> tuple[np.ndarray, float, float]:
    """The answer, and the median seconds by clock and by processor."""
    runs = [_value_timed(lambda: way(asked)) for _ in range(repeats)]
    clock = statistics.median(run[1] for run in runs)
    return runs[0][0], clock, statistics.median(run[2] for run in runs)


def _bare_faiss(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """What IndexFlatIP does, without its copy of the gallery."""
    metric = faiss.METRIC_INNER_PRODUCT
    return faiss.knn(queries, gallery, TOP_K, metric=metric)[1]


def _brute_force(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """NumPy's product and partition, in blocks that memory holds."""
    rows, scores = [], []
    for start in _starts(len(gallery), 8 * ROWS):
        products = queries @ gallery[start : start + 8 * ROWS].T
        best = np.argpartition(-products, TOP_K, axis=1)[:, :TOP_K]
        scores.append(np.take_along_axis(products, best, axis=1))
        rows.append(best + start)
    all_rows, all_scores = np.hstack(rows), np.hstack(scores)
    order = np.argsort(-all_scores, axis=1, kind="stable")[:, :TOP_K]
    return np.take_along_axis(all_rows, order, axis=1)


def _starts(count: int, size: int) -> Iterator[int]:
    yield from range(0, count, size)


def _value_timed(work: Callable[[], object]) -> tuple:
    clock, processor = time.perf_counter(), time.process_time()
    value = work()
    seconds = time.perf_counter() - clock
    return value, seconds, time.process_time() - processor


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    _, clock, processor = _value_timed(work)
    return clock, processor


def _tell(what: str, clock: float, processor: float) -> None:
    print(
        f"{what}: {_PLACES.value:,} places, {clock:.0f} s by the clock,"
        f" {processor:.0f} s by this process"
    )


if __name__ == "__main__":
    app.run(main)
