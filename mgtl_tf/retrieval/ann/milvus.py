"""Search by Milvus: galleries in a local file or on a cluster."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mgtl_tf.retrieval.ann.engine import rerank
from mgtl_tf.retrieval.ann.engine_files import gallery_fingerprint
from mgtl_tf.retrieval.ann.milvus_connection import (
    connect,
    naming_server,
    release,
)
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.retrieval.search import check_search, checked_rows
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.top_k import NotFiniteError

FIELD, KEY = "descriptor", "row"
"""A collection's two columns: the unit vector, and its row of the gallery."""

UNFINISHED = "_unfinished"
"""What the name of a collection ends in until all of it is there."""

_SURPLUS = 32
# A server takes no more answers, and no longer condition, at once.
_MOST = 16_384
_QUERIES = 256


@dataclass(frozen=True)
class MilvusIndex:
    """One kind of index of Milvus, which Milvus Lite has too.

    Attributes:
        index_type: Milvus' name of it.
        build: its parameters.
        search: parameters of a search.
    """

    index_type: str
    build: dict[str, Any] = field(default_factory=dict)
    search: dict[str, Any] = field(default_factory=dict)


MILVUS_INDEXES = {
    "exact": MilvusIndex("FLAT"),
    # All of its few lists are read: what is lost is by 8 bits alone.
    "int8": MilvusIndex("IVF_SQ8", {"nlist": 16}, {"nprobe": 16}),
    "hnsw": MilvusIndex("HNSW", {"M": 32, "efConstruction": 200}, {"ef": 400}),
}
"""What --engine takes with --backend=milvus."""


def collection_name(index: Index, engine: str) -> str:
    """Of a gallery as it is now: another one never bears the name."""
    text = json.dumps(gallery_fingerprint(index), sort_keys=True)
    return f"mgtl_{engine}_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def milvus_index(engine: str) -> MilvusIndex:
    """The index of that name.

    Raises:
        UserError: for one that only FAISS has, or none has.
    """
    if engine not in MILVUS_INDEXES:
        names = ", ".join(MILVUS_INDEXES)
        raise UserError(
            f"--engine={engine}: --backend=milvus has {names}; others need"
            " --backend=faiss"
        )
    return MILVUS_INDEXES[engine]


class MilvusSearch:
    """Search in a collection that `build_milvus` made of a gallery.

    Milvus finds the candidates; their similarities are computed from the
    gallery's own descriptors. FLAT therefore answers as exact search does,
    but for more than 32 rows that are equal to the K-th.

    Attributes:
        name: of the engine, as --engine takes it.
        descriptors: of the gallery, float32 [N, D].
        uri: where the collection is.
        collection: its name.
    """

    def __init__(self, index: Index, engine: str, uri: str | None):
        """Opens the gallery's collection.

        Raises:
            UserError: where nothing answers, or the gallery as it is now is
                not there.
        """
        self._kind = milvus_index(engine)
        self.name, self.uri = engine, uri or ""
        self.descriptors = index.descriptors
        self.collection = collection_name(index, engine)
        self._client = connect(uri)
        with naming_server(self.uri):
            there = set(self._client.list_collections())
            if self.collection not in there:
                self.close()
                raise UserError(_absent(index, engine, self.uri, there))
            self._client.load_collection(self.collection)
            self._count = self._counted()

    def search(
        self, queries: np.ndarray, top_k: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The K most similar rows of each query; see `SearchEngine`.

        Rows that were deleted are not among the answers.

        Raises:
            UserError: for K above 16,384 in a larger collection, which no
                server gives, or where the server does not answer.
        """
        check_search(queries, self.descriptors, top_k)
        queries = np.ascontiguousarray(queries, np.float32)
        if not np.isfinite(queries).all():
            raise NotFiniteError
        top_k = min(top_k, self._count)
        if rows is None and top_k > _MOST:
            raise UserError(
                f"--top_k={top_k}: Milvus gives at most {_MOST:,} answers; give"
                f" --top_k={_MOST} or less, or --backend=faiss"
            )
        conditions = [""]
        if rows is not None:
            allowed = checked_rows(rows, len(self.descriptors)).tolist()
            starts = range(0, len(allowed), _MOST)
            conditions = [
                f"{KEY} in {allowed[start : start + _MOST]}" for start in starts
            ]
        lines: list[list[int]] = [[] for _ in queries]
        for start in range(0, len(queries), _QUERIES):
            for condition in conditions:
                part = queries[start : start + _QUERIES]
                for i, ids in enumerate(self._asked(part, top_k, condition)):
                    lines[start + i] += ids
        return _ordered(queries, self.descriptors, lines, top_k)

    def delete(self, rows: np.ndarray) -> int:
        """Takes places out of the collection, for good.

        Args:
            rows: of the gallery, int [M].

        Returns:
            How many places are left.

        Raises:
            ValueError: for rows that the gallery does not have.
            UserError: where the server does not answer.
        """
        gone = checked_rows(rows, len(self.descriptors)).tolist()
        with naming_server(self.uri):
            for start in range(0, len(gone), _MOST):
                part = gone[start : start + _MOST]
                self._client.delete(self.collection, ids=part)
            self._client.flush(self.collection)
            self._count = self._counted()
        return self._count

    def drop(self) -> None:
        """Removes the whole collection; the engine is then closed.

        Raises:
            UserError: where the server does not answer.
        """
        with naming_server(self.uri):
            self._client.drop_collection(self.collection)
        self.close()

    def close(self) -> None:
        """Lets go of the server, or of the file."""
        release(self._client, self.uri)

    def __len__(self) -> int:
        """How many places the collection holds."""
        return self._count

    def _counted(self) -> int:
        counted = self._client.query(
            self.collection, filter="", output_fields=["count(*)"]
        )
        return int(counted[0]["count(*)"])

    def _asked(
        self, queries: np.ndarray, top_k: int, condition: str
    ) -> list[list[int]]:
        limit = min(self._count, top_k + _SURPLUS, _MOST)
        if not limit:
            return [[] for _ in queries]
        settings = dict(self._kind.search)
        if "ef" in settings:
            settings["ef"] = max(settings["ef"], limit)
        with naming_server(self.uri):
            answers = self._client.search(
                self.collection,
                data=list(queries),
                anns_field=FIELD,
                filter=condition,
                limit=limit,
                output_fields=[KEY],
                search_params={"metric_type": "IP", "params": settings},
                # What was deleted a moment ago is gone.
                consistency_level="Strong",
            )
        return [[int(hit[KEY]) for hit in hits] for hits in answers]


def _ordered(
    queries: np.ndarray,
    gallery: np.ndarray,
    lines: list[list[int]],
    top_k: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of each query, in exact order; K is that of the shortest."""
    top_k = min([top_k, *(len(line) for line in lines)])
    if not top_k or not lines:
        shape = (len(queries), 0 if lines else top_k)
        return np.empty(shape, np.int64), np.empty(shape, np.float32)
    found = np.full((len(lines), max(len(line) for line in lines)), -1)
    for i, line in enumerate(lines):
        found[i, : len(line)] = line
    return rerank(queries, gallery, found, top_k)


def _absent(index: Index, engine: str, uri: str, there: set[str]) -> str:
    remedy = (
        f"python -m experiments.index --output_dir={index.folder}"
        f" --engine={engine} --backend=milvus --uri={uri}"
    )
    name = collection_name(index, engine)
    reason = "holds no collection of"
    if f"{name}{UNFINISHED}" in there:
        reason = "holds only a part (building was stopped) of"
    elif any(other.startswith(f"mgtl_{engine}_") for other in there):
        reason = "holds another gallery, or an older state, not that of"
    return (
        f"--uri={uri}: {reason} --gallery={index.folder} as it is now; build"
        f" it: {remedy}"
    )
