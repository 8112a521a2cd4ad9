"""Output that grows part by part and resumes after any kill.

Rows lie in .npy files, and a part is some rows of each. It counts once its
line is in the journal: JSON lines, each with its own checksum, the plan (what
decides the output) first. A kill costs the parts that were being written;
what no line counts is written again.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import math
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mgtl_tf.utils.atomic_io import atomic_write, sync
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.plain_files import (
    UnfitFileError,
    open_plain,
    quoted,
    read_bytes,
)

UNFINISHED_JSONL = "unfinished.jsonl"
"""The journal's name in a folder that grows."""

_LARGEST_JOURNAL = 2**33
# The system would keep gigabytes in memory and write them all in the end.
_SYNC_BYTES = 2**27

Part = TypeVar("Part")


@dataclass(frozen=True)
class RowFile:
    """A .npy file [N, *shape] whose rows are written in parts.

    Attributes:
        path: of the file.
        shape: of a row.
        dtype: of its values, such as "<f4".
    """

    path: Path
    shape: tuple[int, ...]
    dtype: str

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def resize(self, count: int) -> None:
        """Gives the file `count` rows; it is made where it is missing."""
        _require_regular(self.path)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, self._header(count), 0)
            os.ftruncate(descriptor, self._offset(count))
        finally:
            os.close(descriptor)

    def write(self, row: int, values: np.ndarray, crc32: int = 0) -> int:
        """Writes rows from one on.

        Args:
            row: the first.
            values: one row or several.
            crc32: of the part's rows before them.

        Returns:
            the CRC-32 with these rows.
        """
        content = np.ascontiguousarray(values, self.dtype).tobytes()
        rest, place = memoryview(content), self._offset(row)
        descriptor = os.open(self.path, os.O_WRONLY)
        try:
            while rest:
                written = os.pwrite(descriptor, rest, place)
                rest, place = rest[written:], place + written
        finally:
            os.close(descriptor)
        return zlib.crc32(content, crc32)

    def crc32(self, row: int, count: int) -> int | None:
        """CRC-32 of rows on the disk; None where they are not all there."""
        size = count * self.row_bytes
        try:
            with open_plain(self.path) as file:
                file.seek(self._offset(row))
                content = file.read(size)
        except UnfitFileError:
            return None
        return zlib.crc32(content) if len(content) == size else None

    def _offset(self, row: int) -> int:
        # NumPy leaves room for N to grow: the header's length is constant.
        return len(self._header(0)) + row * self.row_bytes

    def _header(self, count: int) -> bytes:
        text = io.BytesIO()
        shape = (count, *self.shape)
        layout = {"descr": self.dtype, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(text, layout)
        return text.getvalue()


class Journal:
    """The growing list of finished parts; their rows are synced meanwhile.

    Where the disk takes nothing, any call raises OSError or UserError.

    Args:
        path: of the file; what it held is replaced.
        plan: what decides the output, as JSON values.
        parts: dataclasses, those that are finished already.
        files: that hold the parts' rows.
    """

    def __init__(
        self,
        path: Path,
        plan: Mapping[str, Any],
        parts: Iterable[Any],
        files: Sequence[RowFile],
    ):
        _require_regular(path)
        lines = [_line(plan), *(_line(dataclasses.asdict(p)) for p in parts)]
        atomic_write(path, "".join(lines))
        self._file = path.open("a")
        self._files = files
        self._unsynced = 0
        self._thread = ThreadPoolExecutor(1)
        self._syncing: Future[None] | None = None

    def append(self, part: Any, rows: int) -> None:
        """Counts a part as finished, after its rows were written.

        Args:
            part: a dataclass.
            rows: how many were written to each file.
        """
        self._file.write(_line(dataclasses.asdict(part)))
        self._file.flush()
        self._unsynced += rows * sum(file.row_bytes for file in self._files)
        if self._unsynced < _SYNC_BYTES:
            return
        if self._syncing is not None:
            if not self._syncing.done():
                return
            self._syncing.result()
        self._unsynced = 0
        self._syncing = self._thread.submit(self._sync)

    def sync(self) -> None:
        """Waits until all rows are on the disk."""
        # The system reports a failure once, to the first that asks.
        if self._syncing is not None:
            self._syncing.result()
        self._sync()

    def close(self) -> None:
        """Leaves the journal as it is, to be resumed."""
        with suppress(OSError):  # What a full disk did not take.
            self._file.close()
        self._thread.shutdown()

    def _sync(self) -> None:
        for file in self._files:
            sync(file.path)


def read_journal(
    path: Path, shape: type[Part]
) -> tuple[dict[str, Any], list[Part]] | None:
    """The plan and the parts, of a dataclass, up to the first damaged line.

    Returns:
        None where the plan cannot be read.
    """
    parts: list[Part] = []
    try:
        content = read_bytes(path, _LARGEST_JOURNAL).decode(errors="replace")
        plan, *lines = content.split("\n")
        found = _parsed(plan, dict[str, Any])
    except UnfitFileError:
        return None
    with suppress(UnfitFileError):
        for line in lines:
            parts.append(_parsed(line, shape))
    return found, parts


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What differs between two plans: "image_size is [8, 20], not [9, 20]".

    At most five differences, each shortened: `found` may be of any origin.
    """
    wanted = json.loads(json.dumps(wanted))
    different = (
        f"{_brief(name)} is {_brief(found.get(name))}, not"
        f" {_brief(wanted.get(name))}"
        for name in {**found, **wanted}
        if found.get(name) != wanted.get(name)
    )
    return "; ".join(itertools.islice(different, 5))


def _brief(value: Any) -> str:
    return quoted(str(value))[1:-1]


def _require_regular(path: Path) -> None:
    # Opening a pipe waits for another process.
    if os.path.lexists(path) and not path.is_file():
        raise UserError(f"{path}: is no regular file; remove it")


def _line(value: Any) -> str:
    text = json.dumps(value)
    return f"[{zlib.crc32(text.encode())}, {text}]\n"


def _parsed(line: str, shape: type[Part]) -> Part:
    text = line.partition(", ")[2][:-1]
    if f"{line}\n" != f"[{zlib.crc32(text.encode())}, {text}]\n":
        raise UnfitFileError("has other bytes than were written")
    return parse_json(text, shape)
