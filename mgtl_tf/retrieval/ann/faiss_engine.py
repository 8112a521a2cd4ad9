"""Search by FAISS: INDEX/engines/NAME, of one state of a gallery."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.ann.engine import SearchEngine
from mgtl_tf.retrieval.ann.faiss_index import (
    SearchSettings,
    faiss_library,
    search_parameters,
    settings_to_try,
    trained_index,
)
from mgtl_tf.retrieval.ann.measuring import (
    QUERY_DIFFERENCE,
    gallery_fingerprint,
    measurement,
)
from mgtl_tf.utils.atomic_folders import atomic_folder
from mgtl_tf.utils.atomic_io import ENGINE_JSON, atomic_write, unwritable
from mgtl_tf.utils.checksums import (
    BlockChecksums,
    block_checksums,
    check_blocks,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json, sealed_text
from mgtl_tf.utils.plain_files import quoted
from mgtl_tf.utils.plain_path import plain_path
from mgtl_tf.utils.top_k import slices

_FILE = "index.faiss"
_FORMAT = 3
_SAMPLED = 80_000
_ROWS = 8192
_QUERIES = 300
# Of exact search's recall@10; the fastest settings that keep it are taken.
_KEPT = 0.995
# Candidates that are compared exactly for each answer.
_RERANKED = 4


@dataclass(frozen=True)
class _EngineDetails:
    """What engine.json holds: `gallery` is a `gallery_fingerprint`."""

    engine: str
    gallery: dict[str, Any]
    files: dict[str, BlockChecksums]
    settings: SearchSettings
    measured: dict[str, float]


class FaissSearch(SearchEngine):
    """Finds candidates by an index of FAISS.

    Args:
        engine: of `FAISS_ENGINES`.
        index: of FAISS, filled.
        descriptors: float32 [N, D] unit vectors, may be memory-mapped.
        settings: how much of the index a search reads.
    """

    def __init__(
        self,
        engine: str,
        index: Any,
        descriptors: np.ndarray,
        settings: SearchSettings,
    ):
        super().__init__(descriptors)
        self._index, self._settings = index, settings
        self._parameters = search_parameters(engine, settings)

    def _candidates(self, queries: np.ndarray, top_k: int) -> np.ndarray | None:
        count = max(self._settings.reranked, _RERANKED * top_k)
        if count >= len(self._descriptors):
            return None
        return self._index.search(queries, count, params=self._parameters)[1]


def build_faiss_engine(
    index: Index,
    engine: str,
    training: np.ndarray | None = None,
    difference: float = QUERY_DIFFERENCE,
    progress: bool = True,
) -> dict[str, Any]:
    """Trains an engine, fills it with a gallery, measures it, writes it.

    Its folder is complete or as it was before.

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
    faiss_library(engine)
    rng, folder = np.random.default_rng(0), _folder(index, engine)
    descriptors = index.descriptors
    sample = _training_sample(index, training, rng)
    try:
        with atomic_folder(folder, ENGINE_JSON) as beside:
            built = trained_index(engine, sample, len(descriptors))
            blocks = list(slices(len(descriptors), _ROWS))
            for block in tqdm(blocks, engine, disable=not progress):
                built.add(_finite(descriptors[block]))
            _write_index(engine, built, beside / _FILE)
            measure = measurement(descriptors, _QUERIES, rng, difference)
            details = _measured(engine, built, descriptors, measure)
            checksums = block_checksums(beside / _FILE)
            details["bytes"] = checksums.bytes
            content = {
                "format": _FORMAT,
                "gallery": gallery_fingerprint(index),
                "files": {_FILE: dataclasses.asdict(checksums)},
                **details,
            }
            atomic_write(beside / ENGINE_JSON, sealed_text(content))
    except OSError as error:
        raise unwritable(folder, error) from error
    return details


def open_faiss_engine(index: Index, engine: str) -> FaissSearch:
    """The engine that `build_faiss_engine` wrote.

    Raises:
        UserError: where it is missing, damaged or of another gallery.
    """
    faiss = faiss_library(engine)
    settings = _read_settings(index, engine)
    path = _folder(index, engine) / _FILE
    try:
        with plain_path(path) as plain:
            built = faiss.read_index(str(plain))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: FAISS cannot read it ({reason})") from error
    return FaissSearch(engine, built, index.descriptors, settings)


def _folder(index: Index, engine: str) -> Path:
    return index.folder / "engines" / engine


def _training_sample(
    index: Index, training: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    source = index.descriptors if training is None else training
    dimension = index.descriptors.shape[1]
    if source.shape[1] != dimension:
        raise UserError(
            f"{index.folder}: descriptors of {dimension} numbers, the training"
            f" gallery's have {source.shape[1]}"
        )
    count = min(_SAMPLED, len(source))
    rows = np.sort(rng.choice(len(source), count, replace=False))
    return _finite(source[rows])


def _finite(rows: np.ndarray) -> np.ndarray:
    if not np.isfinite(rows).all():
        raise UserError("the gallery holds descriptors that are not finite")
    return np.ascontiguousarray(rows, np.float32)


def _write_index(engine: str, built: Any, path: Path) -> None:
    try:
        with plain_path(path) as plain:
            faiss_library(engine).write_index(built, str(plain))
    except RuntimeError as error:
        # FAISS raises this where the disk is full.
        raise OSError(None, f"FAISS: {str(error).splitlines()[0]}") from error


def _measured(
    engine: str,
    built: Any,
    descriptors: np.ndarray,
    measure: Callable[[SearchEngine], dict[str, float]],
) -> dict[str, Any]:
    """The fastest settings that keep recall, and what it is with them."""
    for settings in settings_to_try(engine, built):
        measured = measure(FaissSearch(engine, built, descriptors, settings))
        if measured["recall@10"] >= _KEPT * measured["exact_recall@10"]:
            break
    now = datetime.datetime.now(datetime.UTC)
    return {
        "engine": engine,
        "created": now.isoformat("T", "seconds"),
        "settings": dataclasses.asdict(settings),
        "measured": measured,
    }


def _read_settings(index: Index, engine: str) -> SearchSettings:
    """Those of engine.json, after its files were compared with it."""
    folder = _folder(index, engine)
    remedy = (
        f"build it: python -m experiments.index --output_dir={index.folder}"
        f" --engine={engine}"
    )
    path = folder / ENGINE_JSON
    if not path.is_file():
        raise UserError(f"{index.folder}: has no engine {engine}; {remedy}")
    details = read_json(
        path, _EngineDetails, remedy, sealed=True, version=_FORMAT
    )
    if details.gallery != gallery_fingerprint(index):
        raise UserError(
            f"{folder}: was built for other descriptors than {index.folder} has"
            f" now; {remedy}"
        )
    recorded = details.files.get(_FILE, BlockChecksums(0, ()))
    wrong = check_blocks(folder / _FILE, recorded, everything=False)
    if details.engine != engine:
        wrong = f"is of engine {quoted(details.engine)}"
    if wrong:
        raise UserError(f"{folder / _FILE}: {wrong}; {remedy}")
    return details.settings
