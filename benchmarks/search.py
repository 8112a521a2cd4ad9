"""Searching a gallery of a million places, exactly and by IVF-PQ.

Makes a gallery of `--places` descriptors: those of a small one (`--gallery`,
an index of the demo's model; without it 1,000 clustered unit vectors of 1,920
numbers from a seed), tiled, each copy with Gaussian noise that has the small
gallery's covariance and half its spread. Queries are places with as much
noise again: their cosine to the place is about 0.9, and exact search misses a
few.

Prints how long the index takes to open; the time of one query and of
`--queries` by our exact search, bare FAISS and IVF-PQ, by the clock and by
processor time; IVF-PQ's recall beside exact search's and its resident memory
beside that of the float32 descriptors; all against goals. A million places
need 8 GB in `--work_dir` and some minutes to an hour.

    python -m benchmarks.search [--places=1000000] [--gallery=demo/gallery]
"""

from __future__ import annotations

import multiprocessing
import tempfile
from pathlib import Path

import faiss
import numpy as np
from absl import app, flags

from benchmarks.yardstick import show_ratio, take_turns, timed, unit_rows
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.manifest import write_manifest
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.ann import SearchEngine, build_engine, open_engine
from mgtl_tf.retrieval.ann.measuring import (
    compare,
    gallery_noise,
    synthetic_queries,
)
from mgtl_tf.utils.memory import resident_bytes

_PLACES = flags.DEFINE_integer("places", 1_000_000, "N", lower_bound=2000)
_QUERIES = flags.DEFINE_integer("queries", 1000, "Q", lower_bound=10)
_GALLERY = flags.DEFINE_string("gallery", None, "index whose places are tiled")
_WORK_DIR = flags.DEFINE_string("work_dir", None, "folder for the gallery")

SMALL, SIZE = 1000, 1920
TILE_NOISE, QUERY_NOISE = 0.5, 0.5
ROWS, TOP_K = 8192, 10


def main(argv: list[str]) -> None:
    """Makes the gallery, measures and prints."""
    del argv
    with tempfile.TemporaryDirectory(dir=_WORK_DIR.value) as name:
        folder = Path(name)
        _, (written, _) = timed(make_gallery, folder)
        print(f"gallery of {_PLACES.value:,} places written in {written:.0f} s")
        # In a process of its own: this one's memory stays as it is.
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=build_ivf_pq, args=(folder,))
        process.start()
        _, (built, _) = timed(process.join)
        if process.exitcode:
            raise RuntimeError("building failed")
        print(f"IVF-PQ built and measured in {built:.0f} s")
        measure(folder)


def small_gallery() -> np.ndarray:
    """The descriptors that are tiled, float32 [n, D]."""
    if _GALLERY.value:
        return np.array(load_index(_GALLERY.value).descriptors)
    rng = np.random.default_rng(0)
    # Variances fall as 1 / rank, in directions of their own.
    falling = (1 + np.arange(SIZE, dtype=np.float32)) ** -0.5
    turned = np.linalg.qr(rng.standard_normal((SIZE, SIZE), np.float32))[0]
    rows = rng.standard_normal((SMALL, SIZE), np.float32) * falling
    return unit_rows(rows @ turned)


def make_gallery(folder: Path) -> None:
    """Writes an index of tiled and noisy descriptors."""
    small, rng, count = small_gallery(), np.random.default_rng(1), _PLACES.value
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


def build_ivf_pq(folder: Path) -> None:
    """Builds the engine that is measured."""
    build_engine(
        load_index(folder), "ivfpq", difference=QUERY_NOISE, progress=False
    )


def measure(folder: Path) -> None:
    """Prints opening times, memory, times of search and recall."""
    index, (opened, _) = timed(load_index, folder)
    before = resident_bytes("RssAnon")
    engine, (more, _) = timed(open_engine, index, "ivfpq")
    print(f"opened: index {opened:.2f} s, IVF-PQ {more:.2f} s (goal: under 5)")
    rng = np.random.default_rng(2)
    queries, truth = synthetic_queries(
        index.descriptors, _QUERIES.value, rng, QUERY_NOISE
    )
    engine.search(queries, TOP_K)
    memory, size = resident_bytes("RssAnon") - before, index.descriptors.nbytes
    print(
        f"IVF-PQ's memory: {memory / 1e6:.0f} MB resident, descriptors"
        f" {size / 1e6:.0f} MB, ratio {memory / size:.4f} (goal: 0.0625)"
    )
    exact = print_times(index.descriptors, queries, open_engine(index), engine)
    found = compare(engine, queries, truth, exact)
    kept = found["recall@10"] / found["exact_recall@10"]
    print(
        f"recall@1 / @10: exact {found['exact_recall@1']:.3f} /"
        f" {found['exact_recall@10']:.3f}, IVF-PQ {found['recall@1']:.3f} /"
        f" {found['recall@10']:.3f}, of exact @10 {kept:.4f} (goal: 0.99); of"
        f" the exact ten {found['same@10']:.3f} found"
    )


def print_times(
    gallery: np.ndarray,
    queries: np.ndarray,
    exact: SearchEngine,
    engine: SearchEngine,
) -> np.ndarray:
    """Prints all times; the exact rows [Q, K]."""
    product = faiss.METRIC_INNER_PRODUCT
    searches = {
        # What IndexFlatIP does, without its copy of the gallery.
        "bare FAISS": lambda q: faiss.knn(q, gallery, TOP_K, product)[1],
        "exact": lambda q: exact.search(q, TOP_K)[0],
        "IVF-PQ": lambda q: engine.search(q, TOP_K)[0],
    }
    goals = {"exact": None, "IVF-PQ": 20.0}
    for asked, repeats in ((queries[:1], 5), (queries, 1)):
        turns = take_turns(searches, repeats, asked)
        for name, seconds in turns.items():
            milliseconds = 1e3 * np.median(seconds[:, 0])
            print(f"{len(asked):5} queries, {name}: {milliseconds:.1f} ms")
        for name, goal in goals.items():
            show_ratio(turns, name, "bare FAISS", goal)
    rows = {name: searches[name](queries) for name in ("exact", "bare FAISS")}
    same = float(np.mean(rows["exact"] == rows["bare FAISS"]))
    print(f"exact rows equal to bare FAISS': {same:.5f}")
    return rows["exact"]


if __name__ == "__main__":
    app.run(main)
