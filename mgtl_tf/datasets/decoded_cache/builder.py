"""One cache on its way to being whole: what it lacks, what was made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mgtl_tf.datasets.decoded_cache.blocks import BLOCK_ROWS, Block, fingerprint
from mgtl_tf.datasets.decoded_cache.files import (
    CacheState,
    Record,
    size_arrays,
)
from mgtl_tf.datasets.decoded_cache.journal import Journal
from mgtl_tf.datasets.decoded_cache.work import Workers
from mgtl_tf.utils.atomic_io import naming_write_errors


@dataclass(frozen=True)
class CacheContents:
    """What `fill_cache` leaves behind.

    Attributes:
        records: of every block, in order.
        made: how many blocks were made by this call.
        corrupt: blocks of a finished cache whose bytes had changed.
    """

    records: tuple[Record, ...]
    made: int = 0
    corrupt: tuple[int, ...] = ()

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


class CacheBuilder:
    """A cache's journal, kept while blocks are made.

    Args:
        blocks: of all its rows, in order.
        state: what its folder holds, made by the same settings; or None.
        workers: how what is there already is looked at.
        verify: whether all bytes are compared with their checksums; blocks
            that differ are made anew.

    Attributes:
        folder: of the cache.
        missing: the blocks that are to be made and then given to `add`,
            between `begin` and `finish`.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        state: CacheState | None,
        workers: Workers,
        verify: bool,
    ):
        self.folder = blocks[0].folder
        self._blocks = blocks
        self._kept = _current(blocks, state)
        self._corrupt: list[int] = []
        for number in workers.repaired(blocks, self._kept):
            del self._kept[number]
        finished = state is not None and state.finished
        # A machine that lost its power may have lost what an unfinished
        # cache's journal counts; a finished one was brought to the disk.
        if verify or not finished:
            corrupt = workers.corrupt(blocks, self._kept)
            for number in corrupt:
                del self._kept[number]
            self._corrupt = corrupt if finished else []
        self.missing = [b for b in blocks if b.number not in self._kept]
        self._journal: Journal | None = None
        self._whole = (
            state is not None
            and finished
            and not self.missing
            and len(state.blocks) == len(blocks)
        )

    @property
    def done(self) -> int:
        """How many pairs are there already."""
        missing = sum(len(block.pairs) for block in self.missing)
        return self._blocks[0].count - missing

    def begin(self) -> None:
        """Gets the files ready, where anything is to be done to them.

        Raises:
            UserError: where the disk does not take it.
        """
        if self._whole:
            return
        first = self._blocks[0]
        with naming_write_errors(self.folder):
            self._journal = Journal(self.folder, first.settings, self._kept)
            size_arrays(self.folder, first.count, first.settings)

    def add(self, number: int, record: Record) -> None:
        """Counts a block as made; its pixels must have been written.

        Raises:
            UserError: where the disk does not take it.
        """
        if self._journal is None:
            raise ValueError("begin() comes first")
        with naming_write_errors(self.folder):
            self._journal.append(number, record)

    def finish(self) -> CacheContents:
        """Makes it a whole cache, once nothing is missing.

        Raises:
            UserError: where the disk does not take it.
        """
        records = self._kept
        if self._journal is not None:
            with naming_write_errors(self.folder):
                self._journal.finish()
            records = self._journal.blocks
        return CacheContents(
            tuple(records[block.number] for block in self._blocks),
            len(self.missing),
            tuple(self._corrupt),
        )

    def close(self) -> None:
        """Leaves the cache as it is, to go on another time."""
        if self._journal is not None:
            self._journal.close()


def _current(
    blocks: Sequence[Block], state: CacheState | None
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
