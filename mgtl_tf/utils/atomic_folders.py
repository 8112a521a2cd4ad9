"""Folders that are complete or absent: written beside, then exchanged."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mgtl_tf.utils.atomic_io import hidden_beside, naming_write_errors, sync
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.locks import hold_lock

# Of <fcntl.h> and <linux/fs.h>, of macOS' <stdio.h>.
_CURRENT_FOLDER = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2


@contextmanager
def atomic_folder(output_dir: Path | str, marker: str) -> Iterator[Path]:
    """A new folder beside `output_dir`, renamed to it on success.

    On failure `output_dir` stays as it was. The folder that a link leads to
    is replaced.

    Args:
        output_dir: the final name; its parents are made.
        marker: a file that every folder of this kind holds. Only an empty
            folder, or an older one of the same kind, is replaced.

    Raises:
        UserError: where `output_dir` holds something else, another process
            writes it, or the disk does not take it.
    """
    require_replaceable(output_dir, marker)
    final = Path(os.path.realpath(output_dir))
    with naming_write_errors(output_dir, final.parent):
        final.parent.mkdir(parents=True, exist_ok=True)
        with folder_lock(output_dir):
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
def folder_lock(output_dir: Path | str) -> Iterator[None]:
    """Keeps other processes from replacing a folder, whose parent is there.

    Raises:
        UserError: where one does, or the parent cannot be written.
    """
    final = Path(os.path.realpath(output_dir))
    lock = hold_lock(
        hidden_beside(final, "lock"), output_dir, "writing this folder"
    )
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
            f"{final}: is a link to what is not there; make that, or name"
            " another folder"
        )
    if not final.exists():
        return
    if not final.is_dir():
        raise UserError(f"{final}: is a file; name a folder")
    if os.path.ismount(final):
        raise UserError(
            f"{final}: a disk is mounted there, which no new folder can"
            " replace; name a folder in it"
        )
    if any(final.iterdir()) and not (final / marker).is_file():
        raise UserError(
            f"{final}: already holds other files (no {marker}); name a new or"
            " an empty folder"
        )


def swap_folder(beside: Path, final: Path) -> None:
    """Puts a new folder in the old one's place, or where none is.

    In one step where the file system can; else a kill between two renames
    leaves none until `folder_lock` puts the old one back.

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


def exchange(one: Path, other: Path) -> bool:
    """Swaps what two names on one disk mean, in one step.

    Returns:
        False where the file system cannot do it: nothing has changed.
    """
    names = os.fsencode(one), os.fsencode(other)
    library = ctypes.CDLL(None)
    if hasattr(library, "renameat2"):
        here = _CURRENT_FOLDER
        return not library.renameat2(
            here, names[0], here, names[1], _RENAME_EXCHANGE
        )
    if hasattr(library, "renamex_np"):
        return not library.renamex_np(*names, _RENAME_SWAP)
    return False
