"""Building an approximate engine of a gallery, and measuring it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mgtl_tf.retrieval.ann.engine_files import (
    FAISS_FILE,
    engine_folder,
    write_engine,
)
from mgtl_tf.retrieval.ann.faiss_indexes import (
    FaissIndex,
    ScalarQuantization,
    SearchSettings,
    WhitenedPCA,
)
from mgtl_tf.retrieval.ann.faiss_search import (
    ApproximateSearch,
    FlatSearch,
    faiss_library,
)
from mgtl_tf.retrieval.ann.ivf_pq import IVFPQ
from mgtl_tf.retrieval.ann.measuring import (
    QUERY_DIFFERENCE,
    compare,
    synthetic_queries,
)
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.utils.atomic_folders import atomic_folder
from mgtl_tf.utils.atomic_io import ENGINE_JSON, unwritable
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_path import plain_path

FAISS_INDEXES: dict[str, FaissIndex] = {
    "float16": ScalarQuantization("float16"),
    "int8": ScalarQuantization("int8"),
    "pca": WhitenedPCA(),
    "ivfpq": IVFPQ(),
}
"""The approximate engines, by the name that --engine takes."""

_SAMPLED = 80_000
_ROWS = 8192
_QUERIES = 300
# Of exact search's recall@10; the fastest settings that keep it are taken.
_KEPT = 0.995


def build_faiss_engine(
    index: Index,
    engine: str,
    training: np.ndarray | None = None,
    difference: float = QUERY_DIFFERENCE,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Trains an engine, fills it with a gallery, measures it, writes it.

    It goes to INDEX/engines/NAME, which is whole or as it was before.

    Args:
        index: the gallery.
        engine: a name of `FAISS_INDEXES`.
        training: descriptors to learn from, float32 [n, D], such as those of
            the training split's gallery; None for the gallery itself.
        difference: of the queries that measure it from their places; see
            `measuring.synthetic_queries`.
        seed: of the samples.
        progress: whether a progress bar is shown on stderr.

    Returns:
        what engine.json says: `memory`, `settings`, `measured`.

    Raises:
        UserError: for a gallery that is too small or a training gallery that
            does not fit, or where the disk does not take the engine.
    """
    faiss = faiss_library(f"--engine={engine}")
    kind, rng = FAISS_INDEXES[engine], np.random.default_rng(seed)
    source = index.descriptors if training is None else training
    if source.shape[1] != index.descriptors.shape[1]:
        raise UserError(
            f"--training_gallery: descriptors of {source.shape[1]} numbers,"
            f" those of {index.folder} have {index.descriptors.shape[1]}"
        )
    sample = _sample(source, rng)
    folder = engine_folder(index, engine)
    try:
        with atomic_folder(folder, ENGINE_JSON) as beside:
            built = kind.train(faiss, sample, len(index.descriptors))
            for rows in _blocks(index.descriptors, engine, progress):
                built.add(np.ascontiguousarray(rows, np.float32))
            _write(faiss, built, beside / FAISS_FILE)
            queries = synthetic_queries(
                index.descriptors, _QUERIES, rng, difference
            )
            details = _details(kind, built, index, *queries)
            details["trained_on"] = "itself" if training is None else "another"
            details["memory"] |= _memory(kind, index, beside / FAISS_FILE)
            write_engine(beside, index, details)
    except OSError as error:
        raise unwritable(folder, error) from error
    return details


def _sample(source: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = min(_SAMPLED, len(source))
    rows = np.sort(rng.choice(len(source), count, replace=False))
    sample = np.ascontiguousarray(source[rows], np.float32)
    if not np.isfinite(sample).all():
        raise UserError("--gallery: holds descriptors that are not finite")
    return sample


def _blocks(
    descriptors: np.ndarray, engine: str, progress: bool
) -> Iterator[np.ndarray]:
    with tqdm(
        total=len(descriptors),
        unit="place",
        desc=engine,
        disable=not progress,
    ) as bar:
        for start in range(0, len(descriptors), _ROWS):
            rows = descriptors[start : start + _ROWS]
            yield rows
            bar.update(len(rows))


def _write(faiss: Any, built: Any, path: Path) -> None:
    try:
        with plain_path(path) as plain:
            faiss.write_index(built, str(plain))
    except RuntimeError as error:
        # FAISS raises this where the disk is full.
        raise OSError(None, f"FAISS: {str(error).splitlines()[0]}") from error


def _details(
    kind: FaissIndex,
    built: Any,
    index: Index,
    queries: np.ndarray,
    truth: np.ndarray,
) -> dict[str, Any]:
    """The fastest settings that keep recall, and what it was measured to do."""
    exact, _ = FlatSearch(index.descriptors).search(queries, 10)
    for settings in kind.settings_to_try(built):
        engine = ApproximateSearch(kind, built, index.descriptors, settings)
        measured = compare(engine, queries, truth, exact)
        if measured["recall@10"] >= _KEPT * measured["exact_recall@10"]:
            break
    now = datetime.datetime.now(datetime.UTC)
    return {
        "engine": kind.name,
        "created": now.isoformat("T", "seconds"),
        "settings": asdict(settings),
        "measured": measured,
        "memory": {},
    }


def _memory(kind: FaissIndex, index: Index, path: Path) -> dict[str, int]:
    """Bytes: now, of each place, and of a million places."""
    count, dimension = index.descriptors.shape
    each = kind.bytes_per_place(dimension)
    fixed = max(0, path.stat().st_size - count * each)
    return {
        "bytes": path.stat().st_size,
        "bytes_per_place": each,
        "bytes_per_million_places": 1_000_000 * each + fixed,
    }


def open_faiss_engine(
    index: Index, details: dict[str, Any], path: Path
) -> ApproximateSearch:
    """The engine that `build_faiss_engine` wrote.

    Args:
        index: its gallery.
        details: what engine.json says.
        path: of what FAISS wrote.

    Raises:
        UserError: where it cannot be read.
    """
    name = details["engine"]
    faiss = faiss_library(f"--engine={name}")
    try:
        with plain_path(path) as plain:
            built = faiss.read_index(str(plain))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: FAISS cannot read it ({reason})") from error
    settings = SearchSettings(**details["settings"])
    return ApproximateSearch(
        FAISS_INDEXES[name], built, index.descriptors, settings, details
    )
