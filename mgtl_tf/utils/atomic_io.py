"""Output folders and files that are whole or not there at all."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.exchange import exchange
from mgtl_tf.utils.locks import LocklessDiskError, held, try_lock
from mgtl_tf.utils.names import hidden_beside

MODEL_JSON = "model.json"
"""Beside every exported saved_model.pb: its hash, dimension and config."""

ENGINE_JSON = "engine.json"
"""In every engine of a gallery: its settings, checksums, measured recall."""

INDEX_JSON = "index.json"
"""In every gallery index: its counts, model and checksums."""


def write_whole(path: Path | str, content: str | bytes) -> None:
    """Writes a file beside its final name, then renames it.

    Args:
        path: the file.
        content: all of it; text is written as UTF-8.

    Raises:
        UserError: where it cannot be written; the file is as it was.
    """
    data = content if isinstance(content, bytes) else content.encode()
    with whole_file(path) as beside:
        beside.write_bytes(data)


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """A new file beside `path`, for any writer, renamed to it on success.

    On any failure, an interrupt included, the new file is removed and what
    `path` named before is as it was. A link stays one: the file that it
    leads to is replaced. What is no file (`/dev/stdout`) is written to
    directly.

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
    """An empty file that no other process writes, and what keeps it so.

    What a killed process left is written over.
    """
    suffix = final.suffix
    for number in itertools.count():
        path = hidden_beside(final, f"{number}.tmp", suffix)
        try:
            lock = try_lock(path)
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
    """Tells what the disk does not take in one line.

    Args:
        path: what is written, as the user named it.
        folder: an error that names a file elsewhere is another's and is
            left as it is; default: all are told so.

    Raises:
        UserError: naming the path.
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
    """Brings a file, or a folder's list of names, to the disk itself.

    Raises:
        OSError: where the disk does not take it.
    """
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


@contextmanager
def whole_folder(output_dir: Path | str, marker: str) -> Iterator[Path]:
    """A new folder beside `output_dir`, renamed to it on success.

    On any failure, an interrupt included, the new folder is removed and
    whatever `output_dir` held before stays as it was. What a killed process
    left is removed. A link stays one: the folder that it leads to is
    replaced.

    Args:
        output_dir: the final name; its parents are made.
        marker: a file that every folder of this kind holds. Only an empty
            folder, or an older one of the same kind, is replaced.

    Raises:
        UserError: where `output_dir` holds something else, another process
            is writing it, or the disk does not take it.
    """
    require_replaceable(output_dir, marker)
    final = Path(os.path.realpath(output_dir))
    with naming_write_errors(output_dir, final.parent):
        final.parent.mkdir(parents=True, exist_ok=True)
        with writing_folder(output_dir):
            beside = hidden_beside(final, "new")
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir()
            try:
                yield beside
                for path in (beside, *beside.rglob("*")):
                    sync(path)
                swap_folder(beside, final)
            finally:
                shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def writing_folder(output_dir: Path | str) -> Iterator[None]:
    """Keeps other processes from replacing a folder meanwhile.

    Args:
        output_dir: whose parent is there.

    Raises:
        UserError: where one is at it, or the parent cannot be written.
    """
    final = Path(os.path.realpath(output_dir))
    lock = held(hidden_beside(final, "lock"), output_dir, "writing this folder")
    with ExitStack() as stack:
        try:
            stack.enter_context(lock)
            _recover(final)
        except OSError as error:
            raise UserError(
                f"{output_dir}: its new content is first written beside it, in"
                f" {final.parent}, which cannot be written ({error.strerror});"
                " make room or make it writable, or name another folder"
            ) from error
        yield


def _recover(final: Path) -> None:
    """Finishes or undoes what a kill cut off in `swap_folder`."""
    old = hidden_beside(final, "old")
    if old.exists() and not final.exists():
        os.replace(old, final)
    shutil.rmtree(old, ignore_errors=True)


def require_replaceable(output_dir: Path | str, marker: str) -> None:
    """Refuses, before any work is done, a folder that holds other things.

    Raises:
        UserError: naming the folder.
    """
    final = Path(output_dir)
    if final.is_symlink() and not final.exists():
        raise UserError(
            f"--output_dir={final}: is a link to what is not there; make"
            " that, or name another folder"
        )
    if not final.exists():
        return
    if not final.is_dir():
        raise UserError(f"--output_dir={final}: is a file; name a folder")
    if os.path.ismount(final):
        raise UserError(
            f"--output_dir={final}: a whole disk is mounted there, which no"
            " new folder can take the place of; name a folder in it"
        )
    if any(final.iterdir()) and not (final / marker).is_file():
        raise UserError(
            f"--output_dir={final}: already holds other files (no {marker});"
            " name a new or an empty folder"
        )


def swap_folder(beside: Path, final: Path) -> None:
    """Puts a new folder in the old one's place, or where none is.

    In one step where the file system can, so that a kill always leaves a
    whole folder of that name; else a kill between two renames leaves none
    until `writing_folder` puts the old one back.

    Args:
        beside: the new folder, on the same disk.
        final: its name from now on; what was there is removed.

    Raises:
        OSError: where the disk does not take it; the old one is then there.
    """
    if not final.exists():
        os.replace(beside, final)
        return
    if exchange(beside, final):
        shutil.rmtree(beside, ignore_errors=True)
        return
    old = hidden_beside(final, "old")
    os.replace(final, old)
    try:
        os.replace(beside, final)
    except OSError:
        os.replace(old, final)
        raise
    shutil.rmtree(old, ignore_errors=True)
