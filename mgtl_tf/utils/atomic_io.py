"""Files that are complete or absent: written beside, synced, renamed."""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.locks import LocklessDiskError, try_lock

MODEL_JSON = "model.json"
"""Beside every exported saved_model.pb: its hash, dimension and config."""

ENGINE_JSON = "engine.json"
"""In every engine of a gallery: its settings, checksums, measured recall."""

INDEX_JSON = "index.json"
"""In every gallery index: its counts, model and checksums."""

_LONGEST_NAME = 255


def atomic_write(path: Path | str, content: str | bytes) -> None:
    """Writes a file, text as UTF-8; see `atomic_file`."""
    data = content if isinstance(content, bytes) else content.encode()
    with atomic_file(path) as beside:
        beside.write_bytes(data)


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """A new file beside `path`, for any writer, renamed to it on success.

    On failure `path` stays as it was. The file that a link leads to is
    replaced. What is no file (`/dev/stdout`) is written to directly.

    Args:
        path: the final name; its folder is there.

    Yields:
        an empty file of another name with the same suffix.

    Raises:
        UserError: where it cannot be written, naming it.
    """
    final = Path(os.path.realpath(path))
    with naming_write_errors(path, final.parent):
        if final.is_dir():
            raise UserError(f"{path}: is a folder; name a file")
        if _is_stream(path):
            yield Path(path)
            return
        beside, lock = _free_name(final)
        try:
            yield beside
            sync(beside)
            os.replace(beside, final)
        finally:
            os.close(lock)
            beside.unlink(missing_ok=True)


def _is_stream(path: Path | str) -> bool:
    """Whether a name is of a device or pipe, or of an open file."""
    named = Path(os.path.abspath(path))
    open_file = named.is_relative_to("/dev") or named.is_relative_to("/proc")
    return open_file or (named.exists() and not named.is_file())


def _free_name(final: Path) -> tuple[Path, int]:
    """An empty file that no other process writes, and its lock."""
    suffix = final.suffix
    for number in itertools.count():
        path = hidden_beside(final, f"{number}.tmp", suffix)
        try:
            lock = try_lock(path)  # Or of what a killed process left.
        except LocklessDiskError:
            path.unlink(missing_ok=True)
            path = hidden_beside(final, f"{secrets.token_hex(4)}.tmp", suffix)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        if lock is not None:
            os.ftruncate(lock, 0)
            return path, lock
    raise RuntimeError("unreachable")


@contextmanager
def naming_write_errors(
    path: Path | str, folder: Path | None = None
) -> Iterator[None]:
    """Turns errors of writing into a `UserError` that names the path.

    Args:
        path: what is written, as the user named it.
        folder: an error that names a file elsewhere is left as it is.
    """
    try:
        yield
    except OSError as error:
        named = error.filename
        if folder is not None and isinstance(named, (str, bytes)):
            if not Path(os.fsdecode(named)).is_relative_to(folder):
                raise
        raise unwritable(path, error) from error


def sync(path: Path) -> None:
    """Brings a file, or a folder's list of names, to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path | str, error: OSError) -> UserError:
    """The error about a file or folder that the system would not write."""
    reason = error.strerror or str(error)
    if "requested and" in reason:  # NumPy, which does not say why.
        reason = "the disk took a part of it, as a full one does"
    return UserError(
        f"{path}: cannot be written ({reason}); make room or make it writable,"
        " then give the same command again"
    )


def hidden_beside(path: Path, word: str, suffix: str = "") -> Path:
    """A hidden name in the same folder, the same at every call.

    Args:
        path: the file or folder that it is about; of any name.
        word: what it is for: "new", "old", "lock".
        suffix: that the name ends with, where a writer looks at it.
    """
    suffix = suffix if len(suffix) <= 16 else ""
    name = f".{path.name}.{word}{suffix}"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()
        name = f".{digest[:32]}.{word}{suffix}"
    return path.with_name(name)
