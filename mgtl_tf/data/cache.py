"""The decoded cache: every pair's network inputs, decoded once.

Blocks of rows are made in parallel, straight into the two array files, and
count once their checksums are recorded (cache_files.py, cache_blocks.py). A
kill loses the blocks that were being made; a file that changes costs the
block it is in.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.data.cache_blocks import BLOCK_ROWS
from mgtl_tf.data.cache_blocks import Block
from mgtl_tf.data.cache_blocks import fingerprint
from mgtl_tf.data.cache_files import CacheSettings
from mgtl_tf.data.cache_files import CacheState
from mgtl_tf.data.cache_files import Journal
from mgtl_tf.data.cache_files import Record
from mgtl_tf.data.cache_files import size_arrays
from mgtl_tf.data.cache_guard import alone
from mgtl_tf.data.cache_guard import require_cache_or_nothing
from mgtl_tf.data.cache_guard import require_room
from mgtl_tf.data.cache_guard import state_of
from mgtl_tf.data.cache_work import Workers
from mgtl_tf.data.records import Pair
from mgtl_tf.data.sources import CacheSource
from mgtl_tf.errors import UserError

_LISTED = 10


@dataclass(frozen=True)
class Filled:
    """What `fill_cache` leaves behind.

    Attributes:
        records: of every block, in order.
        made: how many blocks were made by this call.
        spoilt: blocks of a finished cache whose bytes had changed.
    """

    records: tuple[Record, ...]
    made: int = 0
    spoilt: tuple[int, ...] = ()

    def left_out(self) -> Iterator[tuple[int, str, str]]:
        """Row, view and reason of every file that could not be used."""
        return self._listed("left_out")

    def warnings(self) -> Iterator[tuple[int, str, str]]:
        """Row, view and oddity of files that were used all the same."""
        return self._listed("warnings")

    def _listed(self, field: str) -> Iterator[tuple[int, str, str]]:
        for number, record in enumerate(self.records):
            for row, view, reason in record[field]:
                yield number * BLOCK_ROWS + row, view, reason


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
) -> Filled:
    """Makes what a cache lacks of these pairs; unusable ones are left out.

    Such files are looked at again by every call.

    Args:
        pairs: row n of the cache is pairs[n]; at least one.
        settings: what decides the pixels.
        folder: where it is, or goes.
        workers: how the work is done.
        replace: whether a cache of other settings is replaced, not refused.
        verify: whether all bytes are compared with their checksums; blocks
            that differ are made anew.

    Raises:
        UserError: where the folder holds other things or a cache of other
            settings, is being filled by another process, or the disk does
            not take it.
    """
    folder = Path(folder)
    blocks = [
        Block(
            folder,
            settings,
            len(pairs),
            start // BLOCK_ROWS,
            tuple(pairs[start : start + BLOCK_ROWS]),
        )
        for start in range(0, len(pairs), BLOCK_ROWS)
    ]
    require_cache_or_nothing(folder)
    require_room(folder, len(pairs), settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):
            state = state_of(folder, settings, replace)
            return _fill(blocks, state, workers, verify)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{folder}: cannot be written ({reason})") from error
    except BrokenProcessPool as error:
        raise UserError(
            f"{folder}: a decoding process was killed, perhaps for want of"
            " memory; stop other programs and give the same command again"
        ) from error


def _fill(
    blocks: list[Block],
    state: CacheState | None,
    workers: Workers,
    verify: bool,
) -> Filled:
    finished = state is not None and state.finished
    kept = _current(blocks, state)
    for number in workers.mended(blocks, kept):
        del kept[number]
    spoilt: list[int] = []
    # A machine that lost its power may have lost what an unfinished cache's
    # journal counts; a finished one was brought to the disk.
    if verify or not finished:
        spoilt = workers.spoilt(blocks, kept)
        kept = {n: record for n, record in kept.items() if n not in spoilt}
    missing = [block for block in blocks if block.number not in kept]
    if state and finished and not missing and len(state.blocks) == len(blocks):
        return Filled(tuple(kept[block.number] for block in blocks))
    first = blocks[0]
    journal = Journal(first.folder, first.settings, kept)
    try:
        size_arrays(first.folder, first.count, first.settings)
        done = first.count - sum(len(block.pairs) for block in missing)
        workers.make(missing, journal, done)
        journal.finish()
    finally:
        journal.close()
    return Filled(
        tuple(journal.blocks[block.number] for block in blocks),
        len(missing),
        tuple(spoilt) if finished else (),
    )


def _current(
    blocks: list[Block], state: CacheState | None
) -> dict[int, Record]:
    """Records of the blocks that need not be made again."""
    if state is None:
        return {}
    return {
        block.number: state.blocks[block.number]
        for block in blocks
        if _is_current(block, state.blocks.get(block.number))
    }


def _is_current(block: Block, record: Record | None) -> bool:
    """Whether a block was made of these very files, and of all of them."""
    if not record or len(record["rows"]) != len(block.pairs):
        return False
    return all(
        _is_same(fingerprint(pair), made_of)
        for pair, made_of in zip(block.pairs, record["rows"], strict=True)
    )


def _is_same(now: list, made_of: list) -> bool:
    # A file that is gone takes nothing from what was made of it.
    return now[0] == made_of[0] and all(
        status is None or status == old
        for status, old in zip(now[1:], made_of[1:], strict=True)
    )
