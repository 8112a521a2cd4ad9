"""Writing a gallery into Milvus, batch by batch, resumed after any kill."""

from __future__ import annotations

import contextlib
import importlib
import time
from typing import Any

import numpy as np
from absl import logging
from tqdm import tqdm

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.ann.measuring import QUERY_DIFFERENCE, measurement
from mgtl_tf.retrieval.ann.milvus import (
    FIELD,
    KEY,
    MILVUS_ENGINES,
    MilvusSearch,
    collection_name,
    connect,
    naming_server,
    release,
    require_milvus_engine,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.top_k import slices

# Servers take messages of up to 64 MiB.
_BYTES = 2**24
_QUERIES = 100
_REMEDY = "give the same command again, which begins anew"


def build_milvus(
    index: Index,
    engine: str,
    uri: str | None,
    difference: float = QUERY_DIFFERENCE,
    progress: bool = True,
) -> dict[str, Any]:
    """Writes a gallery's descriptors into a collection, and measures it.

    The collection gets its name when it is complete; what an earlier,
    stopped call wrote of it is continued. Collections of other galleries
    stay.

    Args:
        index: the gallery.
        engine: of `MILVUS_ENGINES`.
        uri: as of `milvus.connect`.
        difference, progress: as of `opening.build_engine`.

    Returns:
        `engine`, `measured` and `places_per_second`, of those that this call
        wrote.

    Raises:
        UserError: where nothing answers, or the server refuses.
    """
    require_milvus_engine(engine)
    name = collection_name(index, engine)
    unfinished = f"{name}_unfinished"
    client = connect(uri)
    try:
        with naming_server(uri or ""):
            if client.has_collection(name):
                client.drop_collection(name)
            size = index.descriptors.shape[1]
            _open_unfinished(client, unfinished, engine, size)
            rate = _fill(client, unfinished, index.descriptors, progress)
            client.rename_collection(unfinished, name)
    finally:
        release(client, uri or "")
    rng = np.random.default_rng(0)
    measure = measurement(index.descriptors, _QUERIES, rng, difference)
    with contextlib.closing(MilvusSearch(index, engine, uri)) as opened:
        return {
            "engine": engine,
            "measured": measure(opened),
            "places_per_second": rate,
        }


def _open_unfinished(client: Any, name: str, engine: str, size: int) -> None:
    """What an earlier call began, or a new collection."""
    if client.has_collection(name):
        # A kill between the two leaves a collection without an index.
        if client.list_indexes(name):
            client.load_collection(name)
            return
        client.drop_collection(name)
    _create(client, name, engine, size)


def _create(client: Any, name: str, engine: str, dimension: int) -> None:
    kind, parameters, _ = MILVUS_ENGINES[engine]
    types = importlib.import_module("pymilvus").DataType
    schema = client.create_schema(auto_id=False)
    schema.add_field(KEY, types.INT64, is_primary=True)
    schema.add_field(FIELD, types.FLOAT_VECTOR, dim=dimension)
    indexes = client.prepare_index_params()
    indexes.add_index(
        FIELD,
        index_type=kind,
        metric_type="IP",
        # Nested: pymilvus 3 would send them one by one, but Milvus Lite 3.2
        # does not read those.
        params={"params": parameters} if parameters else {},
    )
    client.create_collection(name, schema=schema, index_params=indexes)


def _fill(
    client: Any, name: str, descriptors: np.ndarray, progress: bool
) -> float:
    """Writes the rows that are missing; how many a second.

    Batches are written in their order, each after the one before was taken:
    a stopped call leaves whole batches and perhaps a part of one more, whose
    rows are replaced. An insertion would double them.
    """
    size = max(1, _BYTES // (4 * descriptors.shape[1]))
    count, there = len(descriptors), _count(client, name)
    first = there // size * size
    parts = [part for part in slices(count, size) if part.start >= first]
    began = time.perf_counter()
    for part in tqdm(parts, "milvus", disable=not progress):
        rows = np.array(descriptors[part], np.float32)
        numbers = range(part.start, part.stop)
        write = client.upsert if part.start < there else client.insert
        write(
            name,
            [
                {KEY: number, FIELD: row}
                for number, row in zip(numbers, rows, strict=True)
            ],
        )
    client.flush(name)
    seconds = time.perf_counter() - began
    if (found := _count(client, name)) != count:
        client.drop_collection(name)
        raise UserError(f"{name}: {found:,} rows of {count:,}; {_REMEDY}")
    rate = (count - first) / seconds
    logging.info("%s: %s places a second", name, f"{rate:,.0f}")
    return rate


def _count(client: Any, name: str) -> int:
    """Rows of a collection, those not yet flushed too."""
    (found,) = client.query(
        name,
        filter="",
        output_fields=["count(*)"],
        consistency_level="Strong",
    )
    return int(found["count(*)"])
