"""Making decoded caches: every pair's network inputs, decoded once.

Blocks of rows are made in parallel, straight into the array files. A kill
costs the blocks that were being made; a changed image, the block it is in.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from mgtl_tf.datasets.decoded_cache.blocks import (
    Block,
    file_of,
    write_block,
)
from mgtl_tf.datasets.decoded_cache.files import (
    FILES,
    BlockRecord,
    CacheSettings,
    CacheState,
    read_state,
)
from mgtl_tf.datasets.decoded_cache.growing import (
    CacheContents,
    GrowingCache,
    progress_bar,
)
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import VIEWS, CacheSource
from mgtl_tf.utils.atomic_io import naming_write_errors
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.locks import LOCK, hold_lock
from mgtl_tf.utils.part_files import differences
from mgtl_tf.utils.plain_files import UnfitFileError
from polar.parallel import WorkerDiedError, in_parallel

_LISTED = 10

MakeBlocks = Callable[[Sequence[Block]], Iterable[tuple[Path, BlockRecord]]]
"""Writes the rows of all blocks; gives each one's folder and record."""


def build_cache(
    pairs: Sequence[Pair],
    settings: CacheSettings,
    folder: Path | str,
    processes: int | None = None,
    progress: bool = True,
) -> CacheSource:
    """The cache of these pairs, all of them; what is missing is made now.

    Args:
        pairs: row n of the cache is pairs[n].
        settings: what decides the pixels.
        folder: where it is, or goes; a cache of other settings is replaced.
        processes: how many decode at a time; default one a core.
        progress: whether to show a bar.

    Raises:
        UserError: naming the files that cannot be used (the first ten); the
            others stay decoded.
    """
    folder = Path(folder)
    caches = {folder: pairs}
    filled = build_caches(caches, settings, processes, progress, replace=True)
    unusable = [
        f"{file_of(pairs[row], view)}: {reason}"
        for row, view, reason in filled[folder].left_out()
    ]
    if unusable:
        more = len(unusable) - _LISTED
        tail = f"; and {more} more" if more > 0 else ""
        raise UserError("; ".join(unusable[:_LISTED]) + tail)
    return CacheSource(folder)


def build_caches(
    caches: Mapping[Path, Sequence[Pair]],
    settings: CacheSettings,
    processes: int | None = None,
    progress: bool = True,
    replace: bool = False,
    verify: bool = False,
    make: MakeBlocks | None = None,
) -> dict[Path, CacheContents]:
    """Makes what caches lack of their pairs; unusable ones are left out.

    Unusable files are examined again by every call.

    Args:
        caches: folder to pairs; row n of a cache is of its pair n; at least
            one pair each.
        settings: what decides the pixels.
        processes: how many decode at a time; default one a core.
        progress: whether to show a bar.
        replace: whether a cache of other settings is replaced, not refused.
        verify: whether all bytes are compared with their checksums; blocks
            that differ are made anew.
        make: makes the blocks that are missing; by default their files are
            decoded, in `processes`.

    Raises:
        UserError: where a folder holds other things or a cache of other
            settings, is being filled by another process, or the disk does
            not take it.
    """
    for folder in caches:
        _require_cache_or_nothing(folder)
    _require_room(caches, settings)
    common = Path(os.path.commonpath(list(caches)))
    try:
        with naming_write_errors(common, common), ExitStack() as stack:
            growing = {}
            for folder, pairs in caches.items():
                folder.mkdir(parents=True, exist_ok=True)
                # On a read-only disk, a finished cache needs no lock.
                if os.access(folder, os.W_OK):
                    lock = hold_lock(folder / LOCK, folder, "making this cache")
                    stack.enter_context(lock)
                cache = GrowingCache(folder, settings, pairs)
                stack.callback(cache.close)
                state = _state(folder, settings, replace)
                cache.resume(state, processes, progress, verify)
                growing[folder] = cache
            make = make or partial(
                in_parallel, write_block, processes=processes
            )
            _make_missing(growing, make, progress, settings.making)
            return {folder: c.finish() for folder, c in growing.items()}
    except WorkerDiedError as error:
        raise UserError(
            f"{common}: {error}; the same command resumes"
        ) from error


def _make_missing(
    caches: Mapping[Path, GrowingCache],
    make: MakeBlocks,
    progress: bool,
    doing: str,
) -> None:
    missing = [block for cache in caches.values() for block in cache.missing]
    total = sum(cache.count for cache in caches.values())
    done = total - sum(len(block.pairs) for block in missing)
    damaged = 0
    with progress_bar(doing, missing, progress, done) as bar:
        for folder, record in make(missing):
            caches[folder].add(record)
            damaged += len(record.left_out)
            if record.left_out:
                bar.set_postfix(damaged=damaged, refresh=False)
            bar.update(len(VIEWS) * len(record.rows))


def _require_cache_or_nothing(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; a cache needs a folder")
    names = {p.name for p in folder.iterdir()} if folder.exists() else set()
    # Hidden ones are ours, of a process that was killed.
    if {name for name in names if not name.startswith(".")} - {*FILES}:
        raise UserError(
            f"{folder}: holds other files than a cache; name another folder"
        )


def _require_room(
    caches: Mapping[Path, Sequence[Pair]], settings: CacheSettings
) -> None:
    """Refuses caches that the disk cannot take beside what is there."""
    pairs = sum(map(len, caches.values()))
    needed = pairs * settings.pair_bytes
    for path in (f / f"{view}.npy" for f in caches for view in VIEWS):
        # Blocks on the disk, in units of 512 bytes: unwritten ones are none.
        needed -= path.stat().st_blocks * 512 if path.is_file() else 0
    folder = Path(os.path.commonpath(list(caches)))
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise UserError(
            f"{folder}: the cache needs {needed / 1e9:.1f} GB, the disk"
            f" has {free / 1e9:.1f} GB left; make room, or train without a"
            " cache"
        )


def _state(
    folder: Path, settings: CacheSettings, replace: bool
) -> CacheState | None:
    """What the folder holds of a cache of these settings."""
    try:
        state = read_state(folder)
    except UnfitFileError:
        return None
    different = state and differences(state.settings, settings.as_json())
    if not different:
        return state
    if not replace:
        raise UserError(
            f"{folder}: holds a cache made otherwise ({different}); name"
            " another folder, or remove this one"
        )
    for name in FILES:  # The manifest goes first.
        (folder / name).unlink(missing_ok=True)
    return None
