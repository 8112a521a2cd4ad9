"""Output folders and files that are whole or not there at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mgtl_tf.errors import UserError

MODEL_JSON = "model.json"
"""Beside every exported saved_model.pb: its hash, dimension and config."""

ENGINE_JSON = "engine.json"
"""In every engine of a gallery: its settings, checksums, measured recall."""

INDEX_JSON = "index.json"
"""In every gallery index: its counts, model and checksums."""


def write_whole(path: Path, text: str) -> None:
    """Writes a text file beside its final name, then renames it.

    Raises:
        UserError: where it cannot be written; the file is as it was.
    """
    beside = path.with_suffix(".tmp")
    try:
        beside.write_text(text)
        sync(beside)
        os.replace(beside, path)
    except OSError as error:
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
    return UserError(
        f"{path}: cannot be written ({error.strerror or error}); make room or"
        " make it writable, then give the same command again"
    )


@contextmanager
def whole_folder(output_dir: Path | str, marker: str) -> Iterator[Path]:
    """A new folder beside `output_dir`, renamed to it on success.

    On any failure, an interrupt included, the new folder is removed and
    whatever `output_dir` held before stays as it was.

    Args:
        output_dir: the final name; its parents are made.
        marker: a file that every folder of this kind holds. Only an empty
            folder, or an older one of the same kind, is replaced.

    Raises:
        UserError: where `output_dir` holds something else.
    """
    require_replaceable(output_dir, marker)
    # Absolute: "." has no name to put another beside.
    final = Path(os.path.abspath(output_dir))
    final.parent.mkdir(parents=True, exist_ok=True)
    beside = final.with_name(f".{final.name}.tmp-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
        swap_folder(beside, final)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def require_replaceable(output_dir: Path | str, marker: str) -> None:
    """Refuses, before any work is done, a folder that holds other things.

    Raises:
        UserError: naming the folder.
    """
    final = Path(output_dir)
    if not final.exists() and not final.is_symlink():
        return
    if not final.is_dir():
        raise UserError(f"--output_dir={final}: is a file; name a folder")
    if any(final.iterdir()) and not (final / marker).is_file():
        raise UserError(
            f"--output_dir={final}: already holds other files (no {marker});"
            " name a new or an empty folder"
        )


def swap_folder(beside: Path, final: Path) -> None:
    """Puts a new folder in the old one's place, or where none is.

    Args:
        beside: the new folder, on the same disk.
        final: its name from now on; what was there is removed.

    Raises:
        OSError: where the disk does not take it; the old one is then there.
    """
    if not final.exists():
        os.replace(beside, final)
        return
    old = final.with_name(f".{final.name}.old-{os.getpid()}")
    os.replace(final, old)
    try:
        os.replace(beside, final)
    except OSError:
        os.replace(old, final)
        raise
    shutil.rmtree(old, ignore_errors=True)
