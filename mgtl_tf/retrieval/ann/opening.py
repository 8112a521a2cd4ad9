"""From the names of an engine and a backend to a search engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.ann.engine import SearchEngine
from mgtl_tf.retrieval.ann.faiss_engine import (
    build_faiss_engine,
    open_faiss_engine,
)
from mgtl_tf.retrieval.ann.faiss_index import FAISS_ENGINES, faiss_library
from mgtl_tf.retrieval.ann.measuring import QUERY_DIFFERENCE
from mgtl_tf.retrieval.ann.milvus import (
    MilvusSearch,
    connect,
    release,
    require_milvus_engine,
)
from mgtl_tf.retrieval.ann.milvus_building import build_milvus
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.scorers import DOT

BACKENDS = ("faiss", "milvus")


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
        backend: "faiss" or "milvus"; "exact" needs neither.
        uri: of Milvus: a local file FILE.db or a cluster's address.

    Raises:
        UserError: for an unknown name, a library that is missing, an engine
            that was not built or was built for another gallery or an
            earlier state of this one, or a server that does not answer.
    """
    _check(engine, backend, uri)
    _require_products(index, engine, backend)
    if backend == "milvus":
        return MilvusSearch(index, engine, uri)
    if engine == "exact":
        return SearchEngine(index.descriptors, index.scorer)
    return open_faiss_engine(index, engine)


def build_engine(
    index: Index,
    engine: str,
    backend: str = "faiss",
    uri: str | None = None,
    *,
    training: np.ndarray | None = None,
    difference: float = QUERY_DIFFERENCE,
    progress: bool = True,
) -> dict[str, Any]:
    """Builds what `open_engine` opens, and measures it.

    Args:
        index: the gallery.
        engine, backend, uri: as of `open_engine`.
        training: descriptors that FAISS' engines learn from, float32 [n, D];
            None for the gallery itself.
        difference: as of `measuring.synthetic_queries`; the larger, the more
            lists IVF-PQ will read.
        progress: whether a progress bar is shown on stderr.

    Returns:
        `engine`, `measured` and, with FAISS, `bytes`; empty for exact
        search, which needs no building.

    Raises:
        UserError: as `open_engine`, for a gallery that is too small, or where
            the engine cannot be written.
    """
    _check(engine, backend, uri)
    _require_products(index, engine, backend)
    if backend == "milvus":
        return build_milvus(index, engine, uri, difference, progress)
    if engine == "exact":
        return {}
    return build_faiss_engine(index, engine, training, difference, progress)


def summary(details: dict[str, Any]) -> list[str]:
    """What `build_engine` returned, as lines of text."""
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
    if rate := details.get("places_per_second"):
        lines.append(f"{name}: {rate:,.0f} places written a second")
    if "bytes" in details:
        lines.append(f"{name}: {details['bytes'] / 1e6:,.1f} MB")
    return lines


def require_engine(engine: str, backend: str, uri: str | None) -> None:
    """Refuses, before long work, an engine that could not be built then.

    Raises:
        UserError: as `open_engine`.
    """
    _check(engine, backend, uri)
    if backend == "milvus":
        require_milvus_engine(engine)
        release(connect(uri), uri or "")
    elif engine != "exact":
        faiss_library(engine)


def _require_products(index: Index, engine: str, backend: str) -> None:
    """Refuses a library, all of which know products alone, for others."""
    if index.scorer != DOT and (backend, engine) != ("faiss", "exact"):
        raise UserError(
            f"engine={engine} of backend={backend}: descriptors of"
            f" {index.folder} are compared by {index.scorer.kind}, not by"
            " products; only backend=faiss engine=exact searches them"
        )


def _check(engine: str, backend: str, uri: str | None) -> None:
    if backend not in BACKENDS:
        raise UserError(
            f"backend={backend}: must be one of {', '.join(BACKENDS)}"
        )
    names = ("exact", *FAISS_ENGINES)
    if backend == "faiss" and engine not in names:
        raise UserError(f"engine={engine}: must be one of {', '.join(names)}")
    if backend == "faiss" and uri is not None:
        raise UserError(f"uri={uri}: backend=faiss takes none")
