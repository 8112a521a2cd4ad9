"""One decoded cache while it is filled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from mgtl_tf.datasets.decoded_cache.blocks import (
    Block,
    check_block,
    check_left_out,
    fingerprint,
)
from mgtl_tf.datasets.decoded_cache.files import (
    BLOCK_ROWS,
    MANIFEST_JSON,
    BlockRecord,
    CacheSettings,
    CacheState,
    finish_cache,
)
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.utils.part_files import UNFINISHED_JSONL, Journal
from polar.parallel import in_parallel


@dataclass(frozen=True)
class CacheContents:
    """What `build_caches` leaves in a folder.

    Attributes:
        records: of every block, in order.
        made: how many blocks were made by this call.
        corrupt: blocks of a finished cache whose bytes had changed.
    """

    records: tuple[BlockRecord, ...]
    made: int = 0
    corrupt: tuple[int, ...] = ()

    def left_out(self) -> Iterator[tuple[int, str, str]]:
        """Row, view and reason of every file that could not be used."""
        return self._rows("left_out")

    def warnings(self) -> Iterator[tuple[int, str, str]]:
        """Row, view and conversion of files that were converted."""
        return self._rows("warnings")

    def _rows(self, field: str) -> Iterator[tuple[int, str, str]]:
        for record in self.records:
            for row, view, reason in getattr(record, field):
                yield record.block * BLOCK_ROWS + row, view, reason


class GrowingCache:
    """One cache while it is filled."""

    def __init__(
        self, folder: Path, settings: CacheSettings, pairs: Sequence[Pair]
    ):
        self.folder, self.settings = folder, settings
        self.count = len(pairs)
        self.blocks = [
            Block(folder, settings, n, tuple(pairs[start : start + BLOCK_ROWS]))
            for n, start in enumerate(range(0, len(pairs), BLOCK_ROWS))
        ]
        self.records: dict[int, BlockRecord] = {}
        self.missing: list[Block] = []
        self._corrupt: list[int] = []
        self._journal: Journal | None = None

    def resume(
        self,
        state: CacheState | None,
        processes: int | None,
        progress: bool,
        verify: bool,
    ) -> None:
        """Keeps what is sound of a folder's blocks; begins the journal."""
        state = state or CacheState({}, [], finished=False)
        found = {record.block: record for record in state.blocks}
        kept = [
            (block, record)
            for block in self.blocks
            if (record := found.get(block.number))
            and _is_current(block, record)
        ]
        left_out = [job for job in kept if job[1].left_out]
        results = in_parallel(check_left_out, left_out, processes)
        wrong = {number for number, sound in results if not sound}
        # A machine that lost its power may have lost what an unfinished
        # cache's journal counts; a finished one is synced.
        if verify or not state.finished:
            checked = [job for job in kept if job[0].number not in wrong]
            blocks = [block for block, _ in checked]
            with progress_bar("verify", blocks, progress) as bar:
                for number, sound in in_parallel(
                    check_block, checked, processes
                ):
                    bar.update(len(VIEWS) * len(self.blocks[number].pairs))
                    if not sound:
                        wrong.add(number)
                        self._corrupt += [number] if state.finished else []
        self.records = {b.number: r for b, r in kept if b.number not in wrong}
        self.missing = [b for b in self.blocks if b.number not in self.records]
        same_length = len(state.blocks) == len(self.blocks)
        if state.finished and same_length and not self.missing:
            return
        files = self.settings.row_files(self.folder)
        self._journal = Journal(
            self.folder / UNFINISHED_JSONL,
            self.settings.as_json(),
            self.records.values(),
            files,
        )
        (self.folder / MANIFEST_JSON).unlink(missing_ok=True)
        for file in files:
            file.resize(self.count)

    def add(self, record: BlockRecord) -> None:
        """Counts a block whose pixels were written."""
        if self._journal is None:
            raise ValueError("resume() comes first")
        self._journal.append(record, len(record.rows))
        self.records[record.block] = record

    def finish(self) -> CacheContents:
        """Writes the manifest, once nothing is missing."""
        records = tuple(self.records[block.number] for block in self.blocks)
        if self._journal is not None:
            self._journal.sync()
            finish_cache(self.folder, self.settings, records)
        corrupt = tuple(sorted(self._corrupt))
        return CacheContents(records, len(self.missing), corrupt)

    def close(self) -> None:
        """Leaves the cache as it is, to be resumed."""
        if self._journal is not None:
            self._journal.close()


def progress_bar(
    doing: str, blocks: Sequence[Block], progress: bool, done: int = 0
) -> tqdm:
    """Files, with their rate and the time left."""
    folders = {block.folder.name for block in blocks}
    name = f" {folders.pop()}" if len(folders) == 1 else ""
    return tqdm(
        total=len(VIEWS) * (done + sum(len(b.pairs) for b in blocks)),
        initial=len(VIEWS) * done,
        desc=doing + name,
        unit="file",
        disable=not (progress and blocks),
        dynamic_ncols=True,
    )


def _is_current(block: Block, record: BlockRecord) -> bool:
    """Whether a block was made of these files, some of which may be gone."""
    return len(record.rows) == len(block.pairs) and all(
        now[0] == then[0]
        and now[1] in (None, then[1])
        and now[2] in (None, then[2])
        for pair, then in zip(block.pairs, record.rows, strict=True)
        for now in (fingerprint(pair),)
    )
