"""The decoded cache: every pair's network inputs, decoded once.

Blocks of rows are made in parallel, straight into the two array files, and
count once their checksums are recorded (builder.py, files.py). A
kill loses the blocks that were being made; a file that changes costs the
block it is in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from mgtl_tf.datasets.decoded_cache.blocks import BLOCK_ROWS, Block
from mgtl_tf.datasets.decoded_cache.builder import CacheBuilder, CacheContents
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.decoded_cache.guard import (
    cache_lock,
    common_folder,
    require_cache_or_nothing,
    require_room,
    state_of,
)
from mgtl_tf.datasets.decoded_cache.work import Workers
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import CacheSource
from mgtl_tf.utils.atomic_io import naming_write_errors
from mgtl_tf.utils.errors import UserError
from polar.parallel import WorkerDiedError

_LISTED = 10


def build_cache(
    pairs: Sequence[Pair],
    image_size: tuple[int, int],
    ground_crop: tuple[float, float],
    folder: Path | str,
    progress: bool = True,
    processes: int | None = None,
    dataset: str = "",
) -> CacheSource:
    """The cache of these pairs, all of them; what is missing is made now.

    Args:
        pairs: row n of the cache is pairs[n].
        image_size: H, W in pixels.
        ground_crop: top and bottom of a panorama's rows, as fractions.
        folder: where it is, or goes; a cache of other settings is replaced.
        progress: whether to show a bar.
        processes: how many decode at a time; default one a core.
        dataset: whose panoramas' shape is asked for; "": any.

    Raises:
        UserError: naming the files that cannot be used (the first ten); the
            rest stays decoded.
    """
    settings = CacheSettings(dataset, image_size, ground_crop)
    workers = Workers(processes, progress)
    filled = fill_cache(pairs, settings, folder, workers, replace=True)
    unusable = [
        f"{file_of(pairs[row], view)}: {reason}"
        for row, view, reason in filled.left_out()
    ]
    if unusable:
        more = len(unusable) - _LISTED
        tail = f"; and {more} more" if more > 0 else ""
        raise UserError("; ".join(unusable[:_LISTED]) + tail)
    return CacheSource(folder)


def file_of(pair: Pair, view: str) -> Path:
    """The file that one of VIEWS is made of."""
    return pair.ground if view == "ground" else pair.aerial


def fill_cache(
    pairs: Sequence[Pair],
    settings: CacheSettings,
    folder: Path | str,
    workers: Workers,
    replace: bool = False,
    verify: bool = False,
) -> CacheContents:
    """`build_caches` of a single one."""
    folder = Path(folder)
    filled = build_caches({folder: pairs}, settings, workers, replace, verify)
    return filled[folder]


def build_caches(
    caches: Mapping[Path, Sequence[Pair]],
    settings: CacheSettings,
    workers: Workers,
    replace: bool = False,
    verify: bool = False,
) -> dict[Path, CacheContents]:
    """Makes what caches lack of their pairs; unusable ones are left out.

    All are made together: processes start once, and none waits while the
    last blocks of a cache are made or brought to the disk. Unusable files
    are looked at again by every call.

    Args:
        caches: pairs by the folder where their cache is, or goes: its row n
            is of pair n; at least one pair each.
        settings: what decides the pixels.
        workers: how the work is done.
        replace: whether a cache of other settings is replaced, not refused.
        verify: whether all bytes are compared with their checksums; blocks
            that differ are made anew.

    Raises:
        UserError: where a folder holds other things or a cache of other
            settings, is being filled by another process, or the disk does
            not take it.
    """
    for folder in caches:
        require_cache_or_nothing(folder)
    require_room({f: len(pairs) for f, pairs in caches.items()}, settings)
    try:
        with contextlib.ExitStack() as stack:
            begun = {
                folder: _begun(blocks, workers, replace, verify, stack)
                for folder, pairs in caches.items()
                if (blocks := _blocks(folder, settings, pairs))
            }
            missing = [b for f in begun.values() for b in f.missing]
            done = sum(builder.done for builder in begun.values())
            for folder, number, record in workers.make(missing, done):
                begun[folder].add(number, record)
            return {folder: f.finish() for folder, f in begun.items()}
    except WorkerDiedError as error:
        raise UserError(
            f"{common_folder(caches)}: {error}; the same command goes on"
        ) from error


def _begun(
    blocks: Sequence[Block],
    workers: Workers,
    replace: bool,
    verify: bool,
    stack: contextlib.ExitStack,
) -> CacheBuilder:
    """A cache that is this process's alone until the stack is closed."""
    first = blocks[0]
    with naming_write_errors(first.folder):
        first.folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(cache_lock(first.folder))
        state = state_of(first.folder, first.settings, replace)
        builder = CacheBuilder(blocks, state, workers, verify)
        stack.callback(builder.close)
        builder.begin()
    return builder


def _blocks(
    folder: Path, settings: CacheSettings, pairs: Sequence[Pair]
) -> list[Block]:
    return [
        Block(
            folder,
            settings,
            len(pairs),
            start // BLOCK_ROWS,
            tuple(pairs[start : start + BLOCK_ROWS]),
        )
        for start in range(0, len(pairs), BLOCK_ROWS)
    ]
