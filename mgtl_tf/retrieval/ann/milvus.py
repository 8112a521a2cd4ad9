"""Search by Milvus: galleries in a local file (Milvus Lite) or on a cluster."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.ann.engine import SearchEngine
from mgtl_tf.retrieval.ann.measuring import gallery_fingerprint
from mgtl_tf.utils.errors import UserError

FIELD, KEY = "descriptor", "row"
"""A collection's two columns: the unit vector, and its row of the gallery."""

MILVUS_ENGINES: dict[str, tuple[str, dict[str, int], dict[str, int]]] = {
    "exact": ("FLAT", {}, {}),
    # All of its few lists are read: what is lost is by 8 bits alone.
    "int8": ("IVF_SQ8", {"nlist": 16}, {"nprobe": 16}),
    "hnsw": ("HNSW", {"M": 32, "efConstruction": 200}, {"ef": 400}),
}
"""Milvus' index type, its parameters, and those of a search."""

_SURPLUS = 32
# A server returns no more answers than these.
_MOST = 16_384
_SECONDS = 5.0
_PORT = 19530
_ADDRESS = "a local file FILE.db or a cluster's address http://HOST:19530"


def collection_name(index: Index, engine: str) -> str:
    """Of this state of a gallery and no other."""
    text = json.dumps(gallery_fingerprint(index), sort_keys=True)
    return f"mgtl_{engine}_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def require_milvus_engine(engine: str) -> None:
    """Refuses an engine that only FAISS has, or none has.

    Raises:
        UserError: naming those that there are.
    """
    if engine not in MILVUS_ENGINES:
        raise UserError(
            f"engine={engine}: backend=milvus has {', '.join(MILVUS_ENGINES)};"
            " others need backend=faiss"
        )


class MilvusSearch(SearchEngine):
    """Search in a collection that `build_milvus` made of a gallery.

    FLAT answers as exact search does, but for more than 32 rows that are equal
    to the K-th.

    Args:
        index: the gallery.
        engine: of `MILVUS_ENGINES`.
        uri: as of `connect`.

    Raises:
        UserError: where nothing answers, or the gallery as it is now is not
            there.
    """

    def __init__(self, index: Index, engine: str, uri: str | None):
        require_milvus_engine(engine)
        self._parameters = MILVUS_ENGINES[engine][2]
        super().__init__(index.descriptors)
        self._collection = collection_name(index, engine)
        self._client, self._uri = connect(uri), uri or ""
        with naming_server(self._uri):
            if not self._client.has_collection(self._collection):
                self.close()
                raise UserError(
                    f"{uri}: holds no complete collection of {index.folder} as"
                    " it is now; build it: python -m experiments.index"
                    f" --output_dir={index.folder} --engine={engine}"
                    f" --backend=milvus --uri={uri}"
                )
            self._client.load_collection(self._collection)

    def _candidates(self, queries: np.ndarray, top_k: int) -> np.ndarray | None:
        count = top_k + _SURPLUS
        if count > _MOST or count >= len(self._descriptors):
            return None
        settings = dict(self._parameters)
        if "ef" in settings:
            settings["ef"] = max(settings["ef"], count)
        with naming_server(self._uri):
            answers = self._client.search(
                self._collection,
                data=list(queries),
                anns_field=FIELD,
                limit=count,
                output_fields=[KEY],
                search_params={"metric_type": "IP", "params": settings},
            )
        found = np.full((len(queries), count), -1, np.int64)
        for line, hits in zip(found, answers, strict=True):
            line[: len(hits)] = [hit[KEY] for hit in hits]
        return found

    def close(self) -> None:
        """Releases the server, or the file."""
        release(self._client, self._uri)


def connect(uri: str | None) -> Any:
    """A `pymilvus.MilvusClient`.

    Args:
        uri: a local file, FILE.db, which is created if it does not exist, or
            a cluster's address, http://HOST:PORT.

    Raises:
        UserError: for another uri, where nothing answers within seconds, or
            where pymilvus or Milvus Lite is missing.
    """
    if not uri:
        raise UserError(f"backend=milvus: needs uri, {_ADDRESS}")
    local = "://" not in uri
    for library in ("pymilvus", "milvus_lite") if local else ("pymilvus",):
        if importlib.util.find_spec(library) is None:
            raise UserError(
                f"backend=milvus: needs {library}; pip install -e '.[milvus]'"
            )
    (_check_file if local else _check_address)(uri)
    # They log what is raised too, and FAISS its instructions.
    for library in ("pymilvus", "milvus_lite", "faiss.loader"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    pymilvus = importlib.import_module("pymilvus")
    with naming_server(uri):
        return pymilvus.MilvusClient(uri, timeout=_SECONDS)


@contextlib.contextmanager
def naming_server(uri: str) -> Iterator[None]:
    """Errors between client and server as one line.

    Raises:
        UserError: naming the address.
    """
    from pymilvus import MilvusException

    try:
        yield
    except (MilvusException, OSError) as error:
        reason = str(getattr(error, "message", error)).splitlines() or ["?"]
        hint = "is Milvus running there?"
        if "://" not in uri:
            hint = "is it open in another process, or of an older Milvus Lite?"
        raise UserError(f"{uri}: {reason[0]:.200} ({hint})") from error


def release(client: Any, uri: str) -> None:
    """Closes a client, and its file, which other processes may then open."""
    client.close()
    if "://" not in uri:
        manager = importlib.import_module("milvus_lite.server_manager")
        manager.server_manager_instance.release_server(uri)


def _check_file(uri: str) -> None:
    path = Path(uri)
    if path.suffix != ".db":
        raise UserError(f"uri={uri}: must be {_ADDRESS}")
    if path.is_file():
        raise UserError(
            f"{uri}: is not a gallery of this Milvus Lite (which writes a"
            " folder of that name); choose another name"
        )
    if not path.absolute().parent.is_dir():
        raise UserError(f"{uri}: no such folder {path.parent}")


def _check_address(uri: str) -> None:
    """Connects once: the client itself waits long and retries."""
    parts = urlsplit(uri)
    try:
        host, port = parts.hostname, parts.port or _PORT
    except ValueError as error:
        raise UserError(f"uri={uri}: {error}") from error
    if parts.scheme not in ("http", "https", "tcp") or not host:
        raise UserError(f"uri={uri}: must be {_ADDRESS}")
    try:
        socket.create_connection((host, port), _SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"{uri}: no Milvus answers ({reason}); start it or give another"
            " address"
        ) from error
