"""A gallery that grows batch by batch, beside its final name."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.galleries.manifest import DESCRIPTORS
from mgtl_tf.utils.atomic_io import hidden_beside
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.part_files import (
    UNFINISHED_JSONL,
    Journal,
    RowFile,
    differences,
    read_journal,
)


@dataclass(frozen=True)
class Gap:
    """A candidate that is not in the gallery.

    Attributes:
        number: in its source.
        reason: why, a phrase.
        expected: whether that is no fault (the map is empty there).
    """

    number: int
    reason: str
    expected: bool


@dataclass(frozen=True)
class _Batch:
    """A part: how many candidates became rows, and which did not."""

    kept: int
    crc32: int
    gaps: list[Gap]


def unfinished_folder(final: Path) -> Path:
    """Where a gallery grows until it gets its final name."""
    return hidden_beside(final, "unfinished")


class GrowingGallery:
    """Descriptors and gaps of a gallery, begun or resumed.

    Args:
        folder: of `unfinished_folder`; made if needed.
        plan: what decides the result, plain values.
        dimension: D.

    Attributes:
        done: how many candidates are dealt with.
        kept: how many of them have a row.
        gaps: the others.

    Raises:
        UserError: where the folder holds a gallery of another plan.
        OSError: where the disk does not take it.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any], dimension: int):
        self.folder = folder
        self.done = self.kept = 0
        self.gaps: list[Gap] = []
        self._rows = RowFile(folder / DESCRIPTORS, (dimension,), "<f4")
        folder.mkdir(parents=True, exist_ok=True)
        journal, sound = folder / UNFINISHED_JSONL, []
        found = read_journal(journal, _Batch)
        if found is None:
            discard(folder)  # What another kill left.
        else:
            if different := differences(found[0], plan):
                raise UserError(
                    f"{folder}: holds an unfinished gallery of other settings"
                    f" ({different}); give the former settings to resume it,"
                    " or restart"
                )
            for batch in found[1]:
                if self._rows.crc32(self.kept, batch.kept) != batch.crc32:
                    break
                sound.append(batch)
                self._count(batch)
        self._rows.resize(self.kept)
        self._journal = Journal(journal, plan, sound, [self._rows])

    def append(self, rows: np.ndarray, gaps: list[Gap]) -> None:
        """Adds a batch.

        Args:
            rows: descriptors of those that are kept, float32 [b, D].
            gaps: the other candidates.

        Raises:
            OSError: where the disk does not take it.
        """
        crc32 = self._rows.write(self.kept, rows)
        batch = _Batch(len(rows), crc32, gaps)
        self._journal.append(batch, len(rows))
        self._count(batch)

    def finish_rows(self) -> None:
        """Brings descriptors.npy to the disk, with its number of rows."""
        self._rows.resize(self.kept)
        self._journal.sync()

    def close(self) -> None:
        """Leaves everything as it is, to be resumed."""
        self._journal.close()

    def _count(self, batch: _Batch) -> None:
        self.done += batch.kept + len(batch.gaps)
        self.kept += batch.kept
        self.gaps += batch.gaps


def discard(folder: Path) -> None:
    """Empties the folder of an unfinished gallery, the journal first."""
    (folder / UNFINISHED_JSONL).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
