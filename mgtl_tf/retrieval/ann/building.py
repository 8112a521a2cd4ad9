"""Building an approximate engine of a gallery, and measuring it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mgtl_tf.retrieval.ann.approximate import ApproximateSearch
from mgtl_tf.retrieval.ann.exact import FlatSearch
from mgtl_tf.retrieval.ann.faiss_library import faiss_library
from mgtl_tf.retrieval.ann.ivf_pq import InvertedProductQuantized
from mgtl_tf.retrieval.ann.measuring import (
    QUERY_DIFFERENCE,
    compare,
    gallery_like_queries,
)
from mgtl_tf.retrieval.ann.quantized import ScalarQuantized
from mgtl_tf.retrieval.ann.recipe import Effort, Recipe
from mgtl_tf.retrieval.ann.reduced import Whitened
from mgtl_tf.retrieval.ann.stored import FAISS_FILE, engine_folder, write_engine
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.utils.atomic_io import ENGINE_JSON, unwritable, whole_folder
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_path import plain_path

RECIPES: dict[str, Recipe] = {
    "float16": ScalarQuantized("float16"),
    "int8": ScalarQuantized("int8"),
    "pca": Whitened(),
    "ivfpq": InvertedProductQuantized(),
}
"""The approximate engines, by the name that --engine takes."""

_SAMPLED = 80_000
_ROWS = 8192
_QUERIES = 300
# Of exact search's recall@10; the least effort that keeps it is taken.
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
        engine: a name of `RECIPES`.
        training: descriptors to learn from, float32 [n, D], such as those of
            the training split's gallery; None for the gallery itself.
        difference: of the queries that measure it from their places; see
            `measuring.gallery_like_queries`.
        seed: of the samples.
        progress: whether a progress bar is shown on stderr.

    Returns:
        what engine.json says: `memory`, `effort`, `measured`.

    Raises:
        UserError: for a gallery that is too small or a training gallery that
            does not fit, or where the disk does not take the engine.
    """
    faiss = faiss_library(f"--engine={engine}")
    recipe, rng = RECIPES[engine], np.random.default_rng(seed)
    source = index.descriptors if training is None else training
    if source.shape[1] != index.descriptors.shape[1]:
        raise UserError(
            f"--training_gallery: descriptors of {source.shape[1]} numbers,"
            f" those of {index.folder} have {index.descriptors.shape[1]}"
        )
    sample = _sample(source, rng)
    folder = engine_folder(index, engine)
    try:
        with whole_folder(folder, ENGINE_JSON) as beside:
            built = recipe.train(faiss, sample, len(index.descriptors))
            for rows in _blocks(index.descriptors, engine, progress):
                built.add(np.ascontiguousarray(rows, np.float32))
            _write(faiss, built, beside / FAISS_FILE)
            queries = gallery_like_queries(
                index.descriptors, _QUERIES, rng, difference
            )
            details = _details(faiss, recipe, built, index, *queries)
            details["trained_on"] = "itself" if training is None else "another"
            details["memory"] |= _memory(recipe, index, beside / FAISS_FILE)
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
        # FAISS tells a full disk in its own way.
        raise OSError(None, f"FAISS: {str(error).splitlines()[0]}") from error


def _details(
    faiss: Any,
    recipe: Recipe,
    built: Any,
    index: Index,
    queries: np.ndarray,
    truth: np.ndarray,
) -> dict[str, Any]:
    """The least effort that keeps recall, and what it was measured to do."""
    exact, _ = FlatSearch(index.descriptors).search(queries, 10)
    for effort in recipe.efforts(built):
        engine = ApproximateSearch(
            faiss, recipe, built, index.descriptors, effort
        )
        measured = compare(engine, queries, truth, exact)
        if measured["recall@10"] >= _KEPT * measured["exact_recall@10"]:
            break
    now = datetime.datetime.now(datetime.UTC)
    return {
        "engine": recipe.name,
        "created": now.isoformat("T", "seconds"),
        "effort": asdict(effort),
        "measured": measured,
        "memory": {},
    }


def _memory(recipe: Recipe, index: Index, path: Path) -> dict[str, int]:
    """Bytes: now, of each place, and of a million places."""
    count, dimension = index.descriptors.shape
    each = recipe.bytes_per_place(dimension)
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
    effort = Effort(**details["effort"])
    return ApproximateSearch(
        faiss, RECIPES[name], built, index.descriptors, effort, details
    )
