"""An index that grows batch by batch, and goes on after any kill.

It lies beside its final name: `descriptors.npy`, whose header is written
last, crops, and a journal: the plan on the first line, then a line for each
whole batch. What no line counts is cut off when the work goes on.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
from pydantic import Field

from mgtl_tf.retrieval.galleries.manifest import DESCRIPTORS
from mgtl_tf.utils.atomic_io import atomic_write, hidden_beside, sync
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.plain_files import UnfitFileError, read_bytes

JOURNAL = "unfinished.jsonl"
# Most bytes of it: a line of a kilobyte for each of a million batches.
_LARGEST = 2**30
# Most descriptors of a batch.
_MOST = 2**20


@dataclass(frozen=True)
class _Batch:
    """A line of the journal; gaps as of `Gap`."""

    count: Annotated[int, Field(gt=0, le=_MOST)]
    kept: Annotated[int, Field(ge=0, le=_MOST)]
    crc32: int
    gaps: list[tuple[int, str, bool]]


@dataclass(frozen=True)
class Gap:
    """A candidate that is not in the index.

    Attributes:
        number: in its source.
        reason: why, a phrase.
        expected: whether that is no fault (the map is empty there).
    """

    number: int
    reason: str
    expected: bool


def unfinished_folder(final: Path) -> Path:
    """Where an index grows until it gets its final name."""
    return hidden_beside(final, "unfinished")


class Unfinished:
    """A growing index, begun or gone on with.

    Args:
        folder: of `unfinished_folder`; made if needed.
        plan: what decides the result, plain values.
        dimension: D.

    Attributes:
        done: how many candidates are dealt with.
        kept: how many of them are in the index.
        gaps: those that are not.

    Raises:
        UserError: where the folder holds an index of another plan.
        OSError: where the disk does not take it.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any], dimension: int):
        self.folder = folder
        self.done = self.kept = 0
        self.gaps: list[Gap] = []
        self._dimension = dimension
        lines = self._read(plan)
        folder.mkdir(parents=True, exist_ok=True)
        if lines is None:
            discard(folder)  # An older index that this one's took the name of.
        self._header = _header(0, dimension)
        self._rows = self._open_rows()
        good = self._count(lines or [])
        self._rows.truncate(self._offset(self.kept))
        self._rows.seek(0, 2)
        text = "\n".join([json.dumps(plan), *good]) + "\n"
        atomic_write(folder / JOURNAL, text)
        self._journal = (folder / JOURNAL).open("a")

    def append(self, count: int, rows: np.ndarray, gaps: list[Gap]) -> None:
        """Counts a batch as done.

        Args:
            count: of its candidates.
            rows: descriptors of those that are kept, float32 [b, D].
            gaps: the others.

        Raises:
            OSError: where the disk does not take it.
        """
        content = np.ascontiguousarray(rows, "<f4").tobytes()
        self._rows.write(content)
        self._rows.flush()
        line = {
            "count": count,
            "kept": len(rows),
            "crc32": _checksum(content, count, gaps),
            "gaps": [[g.number, g.reason, g.expected] for g in gaps],
        }
        self._journal.write(json.dumps(line) + "\n")
        self._journal.flush()
        self.done, self.kept = self.done + count, self.kept + len(rows)
        self.gaps += gaps

    def finish_rows(self) -> None:
        """Writes the header of descriptors.npy, and all to the disk itself."""
        self._rows.seek(0)
        self._rows.write(_header(self.kept, self._dimension))
        self._rows.flush()
        sync(self.folder / DESCRIPTORS)

    def close(self) -> None:
        """Leaves everything as it is."""
        # What a full disk did not take is still in the buffers, and counts
        # for nothing.
        for file in (self._rows, self._journal):
            try:
                file.close()
            except OSError:
                pass

    def _read(self, plan: Mapping[str, Any]) -> list[str] | None:
        """The journal's whole lines, after the plan; None without a plan."""
        _require_plain(self.folder / JOURNAL)
        try:
            content = read_bytes(self.folder / JOURNAL, _LARGEST)
            text = content.decode(errors="replace")
            # What follows the last line's end is a line that a kill cut off.
            first, *lines = text.split("\n")[:-1] or [""]
            begun = parse_json(first, dict[str, Any])
        except UnfitFileError:
            return None  # Not even the plan was written.
        if different := _differences(begun, plan):
            raise UserError(
                f"{self.folder}: holds an unfinished index of other settings"
                f" ({'; '.join(different)}); give the former flags to go on"
                " with it, or --restart to begin anew"
            )
        return lines

    def _open_rows(self) -> BinaryIO:
        path = self.folder / DESCRIPTORS
        _require_plain(path)
        if not path.is_file() or path.stat().st_size < len(self._header):
            path.write_bytes(self._header)
        return path.open("r+b")

    def _offset(self, row: int) -> int:
        return len(self._header) + 4 * self._dimension * row

    def _count(self, lines: list[str]) -> list[str]:
        """Counts the batches whose rows are there; gives their lines."""
        good = []
        self._rows.seek(len(self._header))
        for line in lines:
            try:
                batch = parse_json(line, _Batch)
            except UnfitFileError:
                break
            content = self._rows.read(4 * self._dimension * batch.kept)
            gaps = [Gap(*gap) for gap in batch.gaps]
            if _checksum(content, batch.count, gaps) != batch.crc32:
                break
            self.done += batch.count
            self.kept += batch.kept
            self.gaps += gaps
            good.append(line)
        return good


def discard(folder: Path) -> None:
    """Empties the folder of an unfinished index."""
    # What counts the rest goes first.
    (folder / JOURNAL).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _require_plain(path: Path) -> None:
    # What is written to a pipe waits for a reader.
    if os.path.lexists(path) and not path.is_file():
        raise UserError(f"{path}: is no regular file; remove it")


def _checksum(content: bytes, count: int, gaps: list[Gap]) -> int:
    """Of all that a line counts: the rows' bytes and what it says."""
    said = json.dumps([count, [dataclasses.astuple(gap) for gap in gaps]])
    return zlib.crc32(said.encode(), zlib.crc32(content))


def _differences(
    begun: Mapping[str, Any], plan: Mapping[str, Any]
) -> list[str]:
    """Phrases such as 'crop_metres is 60.0, now 50.0'."""
    wanted = json.loads(json.dumps(plan))
    return [
        f"{name} is {begun.get(name, 'not there')}, now"
        f" {wanted.get(name, 'not there')}"
        for name in {**begun, **wanted}
        if begun.get(name) != wanted.get(name)
    ]


def _header(count: int, dimension: int) -> bytes:
    """The first bytes of a .npy file of float32 [count, D].

    NumPy leaves room for the count to grow: their number does not change.
    """
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        text,
        {"descr": "<f4", "fortran_order": False, "shape": (count, dimension)},
    )
    return text.getvalue()
