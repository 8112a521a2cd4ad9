"""From the names that --engine and --backend take to a search engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgtl_tf.retrieval.ann.building import (
    FAISS_INDEXES,
    build_faiss_engine,
    open_faiss_engine,
)
from mgtl_tf.retrieval.ann.engine import SearchEngine
from mgtl_tf.retrieval.ann.engine_files import (
    FAISS_FILE,
    engine_folder,
    read_engine,
)
from mgtl_tf.retrieval.ann.faiss_search import (
    BlockSearch,
    FlatSearch,
    faiss_library,
    has_faiss,
)
from mgtl_tf.retrieval.ann.measuring import QUERY_DIFFERENCE
from mgtl_tf.retrieval.ann.milvus import MilvusSearch, milvus_index
from mgtl_tf.retrieval.ann.milvus_building import build_milvus
from mgtl_tf.retrieval.ann.milvus_connection import connect, release
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.utils.errors import UserError

BACKENDS = ("faiss", "milvus")
"""What --backend takes."""


def open_engine(
    index: Index,
    engine: str = "exact",
    backend: str = "faiss",
    uri: str | None = None,
) -> SearchEngine:
    """The search engine of that name over a gallery.

    Args:
        index: the gallery.
        engine: "exact", or one that `build_engine` built of this gallery:
            "float16", "int8", "pca", "ivfpq"; of Milvus "exact", "int8",
            "hnsw".
        backend: "faiss" or "milvus". Without FAISS, exact search takes
            blocks of NumPy, with the same answers.
        uri: of Milvus: a local file FILE.db or a cluster's address.

    Raises:
        UserError: for an unknown name, a library that is missing, an engine
            that was not built or was built for another gallery or an
            earlier state of this one, or a server that does not answer.
    """
    _check(engine, backend, uri)
    if backend == "milvus":
        return MilvusSearch(index, engine, uri)
    if engine != "exact":
        details = read_engine(index, engine)
        path = engine_folder(index, engine) / FAISS_FILE
        return open_faiss_engine(index, details, path)
    if has_faiss():
        return FlatSearch(index.descriptors)
    return BlockSearch(index.descriptors)


def build_engine(
    index: Index,
    engine: str,
    backend: str = "faiss",
    uri: str | None = None,
    training: np.ndarray | None = None,
    difference: float = QUERY_DIFFERENCE,
    progress: bool = True,
) -> dict[str, Any]:
    """Builds what `open_engine` opens, and measures it.

    With FAISS it lies in INDEX/engines/NAME, whole or not there, tied to the
    gallery by checksums; with Milvus in a collection that bears the
    gallery's checksum in its name. Exact search by FAISS needs nothing.

    Args:
        index: the gallery.
        engine, backend, uri: as of `open_engine`.
        training: descriptors that FAISS' engines learn from, float32 [n, D];
            None for the gallery itself.
        difference: between the queries that measure it and their places; see
            `measuring.synthetic_queries`. The larger, the more of the
            gallery IVF-PQ will read.
        progress: whether a progress bar is shown on stderr.

    Returns:
        `measured` and, with FAISS, `memory`; see `summary`.

    Raises:
        UserError: as `open_engine`, for a gallery that is too small, or where
            the disk does not take it.
    """
    _check(engine, backend, uri)
    if backend == "milvus":
        return build_milvus(index, engine, uri, difference, progress=progress)
    if engine == "exact":
        return {}
    return build_faiss_engine(
        index, engine, training, difference, progress=progress
    )


def summary(details: dict[str, Any]) -> list[str]:
    """What to tell a user of an engine that was built.

    Args:
        details: that `build_engine` gave; nothing of exact search.
    """
    if not details:
        return []
    measured, name = details["measured"], details["engine"]
    lines = [
        f"{name}: recall@1 {measured['recall@1']:.3f} (exact"
        f" {measured['exact_recall@1']:.3f}), recall@10"
        f" {measured['recall@10']:.3f} ({measured['exact_recall@10']:.3f}), of"
        f" the exact ten {measured['same@10']:.3f} found;"
        f" {measured['queries']} queries like the gallery"
    ]
    if "memory" in details:
        memory = details["memory"]
        lines.append(
            f"{name}: {memory['bytes'] / 1e6:,.1f} MB now,"
            f" {memory['bytes_per_million_places'] / 1e6:,.0f} MB a million"
            f" places ({memory['bytes_per_place']:,} bytes each)"
        )
    return lines


def require_engine(engine: str, backend: str, uri: str | None) -> None:
    """Refuses, before long work, an engine that could not be built then.

    Args:
        engine, backend, uri: as of `open_engine`.

    Raises:
        UserError: for an unknown name, a library that is missing, or a
            server that does not answer.
    """
    _check(engine, backend, uri)
    if backend == "milvus":
        milvus_index(engine)
        release(connect(uri), uri or "")
    elif engine != "exact":
        faiss_library(f"--engine={engine}")


def _check(engine: str, backend: str, uri: str | None) -> None:
    if backend not in BACKENDS:
        raise UserError(
            f"--backend={backend}: must be one of {_list(BACKENDS)}"
        )
    if backend == "milvus":
        return
    names = ["exact", *FAISS_INDEXES]
    if engine not in names:
        raise UserError(f"--engine={engine}: must be one of {_list(names)}")
    if uri is not None:
        raise UserError(f"--uri={uri}: --backend={backend} takes none")


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
