"""Folders whose files are listed with their checksums: whole, or known not.

`checksums.json` is written last: {file name: {"bytes": size, "sha256": hex
digest}}. A kill, a full disk, a bad copy or a bad disk then shows before a
single value is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mgtl_tf.errors import UserError
from mgtl_tf.folders import sync

CHECKSUMS_JSON = "checksums.json"


class DamagedError(UserError):
    """A sealed folder that is not what was written; names file and reason."""


def seal(folder: Path) -> None:
    """Lists a finished folder's files and brings all to the disk.

    Raises:
        OSError: where the disk does not take them.
    """
    listed = {}
    for path in sorted(folder.iterdir()):
        sync(path)
        listed[path.name] = _fingerprint(path)
    checksums = folder / CHECKSUMS_JSON
    checksums.write_text(json.dumps(listed, indent=2) + "\n")
    sync(checksums)
    sync(folder)


def require_whole(folder: Path, required: Collection[str]) -> None:
    """Reads every file of a sealed folder and compares it with the list.

    Args:
        folder: that `seal` was given, under any name.
        required: files that the list must name.

    Raises:
        DamagedError: for the first file that is missing or not as written.
    """
    listed = _read_list(folder / CHECKSUMS_JSON)
    for name in required:
        if name not in listed:
            raise DamagedError(f"{folder / CHECKSUMS_JSON}: lacks {name}")
    for name, written in listed.items():
        _require_same(folder / name, written)


def _read_list(path: Path) -> dict[str, Any]:
    try:
        listed = json.loads(path.read_bytes())
    except OSError as error:
        raise DamagedError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise DamagedError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(listed, dict):
        raise DamagedError(f"{path}: not a list of files")
    return listed


def _require_same(path: Path, written: Any) -> None:
    try:
        found = _fingerprint(path)
    except OSError as error:
        raise DamagedError(f"{path}: {error.strerror}") from error
    if found == written:
        return
    size = written.get("bytes") if isinstance(written, dict) else None
    if found["bytes"] != size:
        raise DamagedError(f"{path}: has {found['bytes']} bytes, not {size}")
    raise DamagedError(f"{path}: its content changed (checksum)")


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
