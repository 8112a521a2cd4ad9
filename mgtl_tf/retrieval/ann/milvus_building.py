"""Writing a gallery into Milvus."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import numpy as np
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
from mgtl_tf.utils.top_k import slices

# Servers take messages of up to 64 MiB.
_BYTES = 2**24
_QUERIES = 100


def build_milvus(
    index: Index,
    engine: str,
    uri: str | None,
    difference: float = QUERY_DIFFERENCE,
    progress: bool = True,
) -> dict[str, Any]:
    """Writes a gallery's descriptors into a collection, and measures it.

    The collection gets its name when it is complete; what an earlier,
    stopped call left is deleted. Collections of other galleries stay.

    Args:
        index: the gallery.
        engine: of `MILVUS_ENGINES`.
        uri: as of `milvus.connect`.
        difference, progress: as of `opening.build_engine`.

    Returns:
        `engine` and `measured`.

    Raises:
        UserError: where nothing answers, or the server refuses.
    """
    require_milvus_engine(engine)
    name = collection_name(index, engine)
    unfinished = f"{name}_unfinished"
    client = connect(uri)
    try:
        with naming_server(uri or ""):
            for old in (name, unfinished):
                if client.has_collection(old):
                    client.drop_collection(old)
            _create(client, unfinished, engine, index.descriptors.shape[1])
            _fill(client, unfinished, index.descriptors, progress)
            client.rename_collection(unfinished, name)
    finally:
        release(client, uri or "")
    rng = np.random.default_rng(0)
    measure = measurement(index.descriptors, _QUERIES, rng, difference)
    with contextlib.closing(MilvusSearch(index, engine, uri)) as opened:
        return {"engine": engine, "measured": measure(opened)}


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
) -> None:
    size = max(1, _BYTES // (4 * descriptors.shape[1]))
    parts = list(slices(len(descriptors), size))
    for part in tqdm(parts, "milvus", disable=not progress):
        rows = np.array(descriptors[part], np.float32)
        numbers = range(part.start, part.stop)
        client.insert(
            name,
            [
                {KEY: number, FIELD: row}
                for number, row in zip(numbers, rows, strict=True)
            ],
        )
    client.flush(name)
