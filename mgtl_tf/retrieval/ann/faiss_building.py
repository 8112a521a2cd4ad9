"""Building an engine of a gallery by FAISS, measuring and opening it."""

from __future__ import annotations

import datetime
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.ann.engine import SearchEngine
from mgtl_tf.retrieval.ann.engine_files import (
    FAISS_FILE,
    engine_folder,
    read_engine,
    write_engine,
)
from mgtl_tf.retrieval.ann.faiss_search import (
    FaissSearch,
    faiss_library,
    settings_to_try,
    trained_index,
)
from mgtl_tf.retrieval.ann.measuring import (
    QUERY_DIFFERENCE,
    compare,
    synthetic_queries,
)
from mgtl_tf.utils.atomic_folders import atomic_folder
from mgtl_tf.utils.atomic_io import ENGINE_JSON, unwritable
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_path import plain_path
from mgtl_tf.utils.top_k import slices

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
    progress: bool = True,
) -> dict[str, Any]:
    """Trains an engine, fills it with a gallery, measures it, writes it.

    It goes to INDEX/engines/NAME, which is complete or as it was before.

    Args:
        index: the gallery.
        engine: of `FAISS_ENGINES`.
        training, difference, progress: as of `opening.build_engine`.

    Returns:
        `engine`, `settings`, `measured` and `bytes`, as in engine.json.

    Raises:
        UserError: for a gallery that is too small, a training gallery that
            does not fit, or where the engine cannot be written.
    """
    faiss, rng = faiss_library(engine), np.random.default_rng(0)
    descriptors = index.descriptors
    source = descriptors if training is None else training
    if source.shape[1] != descriptors.shape[1]:
        raise UserError(
            f"{index.folder}: descriptors of {descriptors.shape[1]} numbers,"
            f" the training gallery's have {source.shape[1]}"
        )
    count = min(_SAMPLED, len(source))
    rows = np.sort(rng.choice(len(source), count, replace=False))
    sample = _finite(source[rows])
    folder = engine_folder(index, engine)
    try:
        with atomic_folder(folder, ENGINE_JSON) as beside:
            built = trained_index(engine, sample, len(descriptors))
            blocks = list(slices(len(descriptors), _ROWS))
            for block in tqdm(blocks, engine, disable=not progress):
                built.add(_finite(descriptors[block]))
            _write(faiss, built, beside / FAISS_FILE)
            details = _measured(engine, built, descriptors, difference, rng)
            details["bytes"] = (beside / FAISS_FILE).stat().st_size
            write_engine(beside, index, details)
    except OSError as error:
        raise unwritable(folder, error) from error
    return details


def _finite(rows: np.ndarray) -> np.ndarray:
    if not np.isfinite(rows).all():
        raise UserError("the gallery holds descriptors that are not finite")
    return np.ascontiguousarray(rows, np.float32)


def _write(faiss: Any, built: Any, path: Path) -> None:
    try:
        with plain_path(path) as plain:
            faiss.write_index(built, str(plain))
    except RuntimeError as error:
        # FAISS raises this where the disk is full.
        raise OSError(None, f"FAISS: {str(error).splitlines()[0]}") from error


def _measured(
    engine: str,
    built: Any,
    descriptors: np.ndarray,
    difference: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """The fastest settings that keep recall, and what it is with them."""
    queries, truth = synthetic_queries(descriptors, _QUERIES, rng, difference)
    exact, _ = SearchEngine(descriptors).search(queries, 10)
    for settings in settings_to_try(engine, built):
        opened = FaissSearch(engine, built, descriptors, settings)
        measured = compare(opened, queries, truth, exact)
        if measured["recall@10"] >= _KEPT * measured["exact_recall@10"]:
            break
    now = datetime.datetime.now(datetime.UTC)
    return {
        "engine": engine,
        "created": now.isoformat("T", "seconds"),
        "settings": asdict(settings),
        "measured": measured,
    }


def open_faiss_engine(index: Index, engine: str) -> FaissSearch:
    """The engine that `build_faiss_engine` wrote.

    Raises:
        UserError: where it is missing, damaged or of another gallery.
    """
    faiss = faiss_library(engine)
    details = read_engine(index, engine)
    path = engine_folder(index, engine) / FAISS_FILE
    try:
        with plain_path(path) as plain:
            built = faiss.read_index(str(plain))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: FAISS cannot read it ({reason})") from error
    return FaissSearch(engine, built, index.descriptors, details.settings)
