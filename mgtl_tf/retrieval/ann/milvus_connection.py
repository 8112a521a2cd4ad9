"""Connecting to Milvus: a local file (Milvus Lite) or a cluster."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mgtl_tf.utils.errors import UserError

_SECONDS = 5.0
_PORT = 19530


def connect(uri: str | None) -> Any:
    """A `pymilvus.MilvusClient`.

    Args:
        uri: a local file, FILE.db, which is made where it isn't there yet,
            or a cluster's address, http://HOST:PORT.

    Raises:
        UserError: for another uri, where nothing answers within seconds, or
            where pymilvus or Milvus Lite is missing.
    """
    if not uri:
        raise UserError(
            "--backend=milvus: needs --uri, a local file FILE.db or a"
            " cluster's address http://HOST:19530"
        )
    local = "://" not in uri
    for library in ("pymilvus", "milvus_lite") if local else ("pymilvus",):
        if importlib.util.find_spec(library) is None:
            raise UserError(
                f"--backend=milvus: needs {library}; pip install -e '.[milvus]'"
            )
    (_check_file if local else _check_address)(uri)
    # They log what is raised too, and at length.
    for library in ("pymilvus", "milvus_lite"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    # So does FAISS, which Milvus Lite loads, of its instructions.
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)
    pymilvus = importlib.import_module("pymilvus")
    with naming_server(uri):
        return pymilvus.MilvusClient(uri, timeout=_SECONDS)


@contextlib.contextmanager
def naming_server(uri: str) -> Iterator[None]:
    """Makes one line of what goes wrong between client and server.

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
        raise UserError(f"--uri={uri}: {reason[0]:.200} ({hint})") from error


def release(client: Any, uri: str) -> None:
    """Closes a client, and its file, which other processes may then open."""
    client.close()
    if "://" not in uri:
        manager = importlib.import_module("milvus_lite.server_manager")
        manager.server_manager_instance.release_server(uri)


def _check_file(uri: str) -> None:
    path = Path(uri)
    if path.suffix != ".db":
        raise UserError(
            f"--uri={uri}: must be a local file FILE.db or a cluster's address"
            " http://HOST:19530"
        )
    if path.is_file():
        raise UserError(
            f"--uri={uri}: is no gallery of this Milvus Lite (which keeps a"
            " folder of that name); name another"
        )
    if not path.absolute().parent.is_dir():
        raise UserError(f"--uri={uri}: no such folder {path.parent}")


def _check_address(uri: str) -> None:
    """Knocks: the client itself waits long and tries again."""
    parts = urlsplit(uri)
    try:
        host, port = parts.hostname, parts.port or _PORT
    except ValueError as error:
        raise UserError(f"--uri={uri}: {error}") from error
    if parts.scheme not in ("http", "https", "tcp") or not host:
        raise UserError(
            f"--uri={uri}: must be a local file FILE.db or a cluster's address"
            " http://HOST:19530"
        )
    try:
        socket.create_connection((host, port), _SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"--uri={uri}: no Milvus answers ({reason}); start it or name"
            " another address"
        ) from error
