"""Putting a gallery into Milvus."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from tqdm import tqdm

from mgtl_tf.retrieval.ann.faiss_search import BlockSearch
from mgtl_tf.retrieval.ann.measuring import (
    QUERY_DIFFERENCE,
    compare,
    synthetic_queries,
)
from mgtl_tf.retrieval.ann.milvus import (
    FIELD,
    KEY,
    UNFINISHED,
    MilvusSearch,
    collection_name,
    milvus_index,
)
from mgtl_tf.retrieval.ann.milvus_connection import (
    connect,
    naming_server,
    release,
)
from mgtl_tf.retrieval.galleries.gallery import Index

# Servers take messages of up to 64 MiB.
_BYTES = 2**24
_QUERIES = 100


def build_milvus(
    index: Index,
    engine: str,
    uri: str | None,
    difference: float = QUERY_DIFFERENCE,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Writes a gallery's descriptors into a collection, and measures it.

    The collection gets its name when all of it is there; what an earlier,
    stopped call left is thrown away. Collections of other galleries stay.

    Args:
        index: the gallery.
        engine: a name of `MILVUS_INDEXES`.
        uri: a local file FILE.db, or a cluster's address.
        difference: of the queries that measure it from their places; see
            `measuring.synthetic_queries`.
        seed: of these queries.
        progress: whether a progress bar is shown on stderr.

    Returns:
        `measured`, as of `measuring.compare`, and `collection`.

    Raises:
        UserError: where nothing answers, or the server refuses.
    """
    milvus_index(engine)
    name = collection_name(index, engine)
    client = connect(uri)
    try:
        with naming_server(uri or ""):
            for old in (name, f"{name}{UNFINISHED}"):
                if client.has_collection(old):
                    client.drop_collection(old)
            _create(client, f"{name}{UNFINISHED}", index, engine)
            _fill(client, f"{name}{UNFINISHED}", index.descriptors, progress)
            client.rename_collection(f"{name}{UNFINISHED}", name)
    finally:
        release(client, uri or "")
    opened = MilvusSearch(index, engine, uri)
    try:
        rng = np.random.default_rng(seed)
        queries, truth = synthetic_queries(
            index.descriptors, _QUERIES, rng, difference
        )
        exact, _ = BlockSearch(index.descriptors).search(queries, 10)
        measured = compare(opened, queries, truth, exact)
    finally:
        opened.close()
    return {"engine": engine, "measured": measured, "collection": name}


def _create(client: Any, name: str, index: Index, engine: str) -> None:
    kind = milvus_index(engine)
    types = importlib.import_module("pymilvus").DataType
    schema = client.create_schema(auto_id=False)
    schema.add_field(KEY, types.INT64, is_primary=True)
    dimension = index.descriptors.shape[1]
    schema.add_field(FIELD, types.FLOAT_VECTOR, dim=dimension)
    indexes = client.prepare_index_params()
    indexes.add_index(
        FIELD,
        index_type=kind.index_type,
        metric_type="IP",
        # As a whole: pymilvus 3 would send them one by one, but Milvus Lite
        # 3.2 does not read those.
        params={"params": kind.build} if kind.build else {},
    )
    client.create_collection(name, schema=schema, index_params=indexes)


def _fill(
    client: Any, name: str, descriptors: np.ndarray, progress: bool
) -> None:
    size = max(1, _BYTES // (4 * descriptors.shape[1]))
    with tqdm(
        total=len(descriptors),
        unit="place",
        desc="milvus",
        disable=not progress,
    ) as bar:
        for start in range(0, len(descriptors), size):
            rows = np.array(descriptors[start : start + size], np.float32)
            client.insert(
                name,
                [{KEY: start + i, FIELD: row} for i, row in enumerate(rows)],
            )
            bar.update(len(rows))
    client.flush(name)
