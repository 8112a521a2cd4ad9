"""What must hold before a cache folder is filled, and while it is."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mgtl_tf.datasets.decoded_cache.files import (
    FILES,
    CacheSettings,
    CacheState,
    read_state,
)
from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.locks import LOCK, hold_lock


def require_cache_or_nothing(folder: Path) -> None:
    """Refuses to fill what is no cache.

    Raises:
        UserError: for a file, or a folder that holds other things.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; a cache needs a folder")
    names = {p.name for p in folder.iterdir()} if folder.exists() else set()
    # Hidden ones are ours, of a process that was killed.
    if {name for name in names if not name.startswith(".")} - FILES:
        raise UserError(
            f"{folder}: holds other files than a cache; name another folder"
        )


def require_room(counts: Mapping[Path, int], settings: CacheSettings) -> None:
    """Refuses caches that the disk cannot take.

    Args:
        counts: N, pairs, by cache folder, all on one disk; what a folder
            holds already is counted.
        settings: of the caches.

    Raises:
        UserError: with both sizes.
    """
    needed = len(VIEWS) * sum(counts.values()) * settings.row_bytes
    for path in (f / f"{view}.npy" for f in counts for view in VIEWS):
        # Blocks on the disk, in units of 512 bytes: unwritten ones are none.
        needed -= path.stat().st_blocks * 512 if path.is_file() else 0
    folder = common_folder(counts)
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise UserError(
            f"{folder}: the cache needs {needed / 1e9:.1f} GB, the disk"
            f" has {free / 1e9:.1f} GB left; make room (to train without a"
            " cache: --cache=none)"
        )


def common_folder(folders: Iterable[Path]) -> Path:
    """The folder itself, or what holds all of them."""
    return Path(os.path.commonpath(list(folders)))


@contextmanager
def cache_lock(folder: Path) -> Iterator[None]:
    """Keeps other processes from filling the folder meanwhile.

    Args:
        folder: of the cache; exists already. One that cannot be written
            needs no lock, and a whole cache can be read there.

    Raises:
        UserError: where one is at it.
    """
    with ExitStack() as stack:
        try:
            lock = hold_lock(folder / LOCK, folder, "making this cache")
            stack.enter_context(lock)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES):
                raise
        yield


def state_of(
    folder: Path, settings: CacheSettings, replace: bool
) -> CacheState | None:
    """What the folder holds already, made by these very settings.

    Args:
        folder: of the cache.
        settings: that it is to be made by.
        replace: whether a cache of other settings is removed.

    Raises:
        UserError: where it is not, naming what differs.
    """
    state = read_state(folder)
    if state is None or not (different := state.differences(settings)):
        return state
    if not replace:
        raise UserError(
            f"{folder}: holds a cache made otherwise ({'; '.join(different)});"
            " name another folder, or remove this one"
        )
    # What says that it is whole goes first.
    for name in sorted(FILES, key=lambda name: name.endswith(".npy")):
        (folder / name).unlink(missing_ok=True)
    return None
