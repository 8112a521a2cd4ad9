"""A cache's blocks made or checked in parallel, under a progress bar."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from mgtl_tf.datasets.decoded_cache.blocks import (
    Block,
    check_block,
    check_left_out,
    write_block,
)
from mgtl_tf.datasets.decoded_cache.files import Record
from polar.parallel import in_parallel

_FILES_A_PAIR = 2


@dataclasses.dataclass(frozen=True)
class Workers:
    """How the work is done.

    Attributes:
        processes: how many work at a time; None: one a core.
        progress: whether to show a bar.
    """

    processes: int | None = None
    progress: bool = True

    def corrupt(
        self, blocks: Sequence[Block], records: Mapping[int, Record]
    ) -> list[int]:
        """Numbers of recorded blocks whose bytes are not what they were."""
        recorded = [
            dataclasses.replace(b, crc32=tuple(records[b.number]["crc32"]))
            for b in blocks
            if b.number in records
        ]
        sizes = {block.number: len(block.pairs) for block in recorded}
        wrong = []
        with self._bar("verify", recorded) as bar:
            for number, same in in_parallel(
                check_block, recorded, self.processes
            ):
                bar.update(_FILES_A_PAIR * sizes[number])
                wrong += [] if same else [number]
        return sorted(wrong)

    def repaired(
        self, blocks: Sequence[Block], records: Mapping[int, Record]
    ) -> list[int]:
        """Numbers of recorded blocks of whose left out files one is better."""
        asked = [
            dataclasses.replace(b, left_out=tuple(left_out))
            for b in blocks
            if (left_out := records.get(b.number, {}).get("left_out"))
        ]
        checked = in_parallel(check_left_out, asked, self.processes)
        return [number for number, same in checked if not same]

    def make(
        self, blocks: Sequence[Block], done: int
    ) -> Iterator[tuple[Path, int, Record]]:
        """Makes blocks; as each is there its folder, number and record.

        Args:
            blocks: those that are missing, of one cache or several.
            done: how many pairs are there already, for the bar.

        Raises:
            UserError: where the disk does not take it.
        """
        damaged = 0
        with self._bar("decode", blocks, done) as bar:
            for folder, number, record in in_parallel(
                write_block, blocks, self.processes
            ):
                yield folder, number, record
                damaged += len(record["left_out"])
                if record["left_out"]:
                    bar.set_postfix(damaged=damaged, refresh=False)
                bar.update(_FILES_A_PAIR * len(record["rows"]))

    def _bar(self, doing: str, blocks: Sequence[Block], done: int = 0) -> tqdm:
        """Files, with their rate and the time left."""
        folders = {block.folder.name for block in blocks}
        name = f" {folders.pop()}" if len(folders) == 1 else ""
        return tqdm(
            total=_FILES_A_PAIR * (done + sum(len(b.pairs) for b in blocks)),
            initial=_FILES_A_PAIR * done,
            desc=doing + name,
            unit="file",
            disable=not (self.progress and blocks),
            dynamic_ncols=True,
        )
