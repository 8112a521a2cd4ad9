"""One block of a decoded cache: made, or compared with its checksums.

These run in the worker processes and touch the array files themselves:
pixels sent back to one process to write would keep it, not the decoders,
busy. A block counts only once its record is in the journal.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.datasets.decoded_cache.files import (
    CacheSettings,
    Record,
    array_header,
)
from mgtl_tf.datasets.preprocess import ground_input, read_file, satellite_input
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.utils.atomic_io import naming_write_errors
from mgtl_tf.utils.errors import UserError
from polar.image_files import decode, decode_panorama, read_header

BLOCK_ROWS = 16

_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff", ".gtif", ".gtiff"),
}


@dataclass(frozen=True)
class Block:
    """A block's place in the files.

    Attributes:
        folder: of the cache.
        settings: of the cache.
        count: N, rows of the whole array.
        number: of the block; its first row is number * BLOCK_ROWS.
        pairs: of its rows; what it is made of.
        crc32: what its checksums should be, one a view.
        left_out: of its record; what could not be used of its files.
    """

    folder: Path
    settings: CacheSettings
    count: int
    number: int
    pairs: tuple[Pair, ...]
    crc32: tuple[int, ...] = ()
    left_out: tuple[list[Any], ...] = ()

    @property
    def offset(self) -> int:
        """Bytes before it in either file."""
        header = len(array_header(self.count, self.settings))
        return header + self.number * BLOCK_ROWS * self.settings.row_bytes


def write_block(block: Block) -> tuple[Path, int, Record]:
    """Decodes a block's files and writes their pixels.

    A pair whose files cannot be used is named in `left_out`, its rows are
    zeros and are never handed out.

    Returns:
        The cache's folder, the block's number and its record.

    Raises:
        UserError: where the arrays cannot be written.
    """
    record: Record = {"rows": [], "left_out": [], "warnings": []}
    sizes: list[Counter[str]] = [Counter() for _ in VIEWS]
    with contextlib.ExitStack() as stack:
        stack.enter_context(naming_write_errors(block.folder))
        outputs = [stack.enter_context(_Rows(block, view)) for view in VIEWS]
        for row, pair in enumerate(block.pairs):
            record["rows"].append(fingerprint(pair))
            images = []
            for view, counts in zip(VIEWS, sizes, strict=True):
                seen = _examined(pair, view, block.settings)
                images.append(seen.pixels)
                place = "left_out" if seen.pixels is None else "warnings"
                record[place] += [[row, view, why] for why in seen.reasons]
                counts.update(seen.size)
            usable = all(image is not None for image in images)
            for output, image in zip(outputs, images, strict=True):
                output.append(image if usable else None)
    record["crc32"] = [output.crc32 for output in outputs]
    record["sizes"] = {
        view: dict(sorted(counts.items()))
        for view, counts in zip(VIEWS, sizes, strict=True)
    }
    return block.folder, block.number, record


def check_block(block: Block) -> tuple[int, bool]:
    """Whether a block's bytes still have its checksums, with its number."""
    size = len(block.pairs) * block.settings.row_bytes
    for view, expected in zip(VIEWS, block.crc32, strict=True):
        try:
            descriptor = os.open(block.folder / f"{view}.npy", os.O_RDONLY)
        except FileNotFoundError:
            return block.number, False
        try:
            data = os.pread(descriptor, size, block.offset)
        finally:
            os.close(descriptor)
        if len(data) != size or zlib.crc32(data) != expected:
            return block.number, False
    return block.number, True


def check_left_out(block: Block) -> tuple[int, bool]:
    """Whether what a block left out is as unusable as then, with its number.

    A file that must not be read is mended without a change of the file.
    """
    for row, view, reason in block.left_out:
        seen = _examined(block.pairs[row], view, block.settings)
        if seen.pixels is not None or seen.reasons != [reason]:
            return block.number, False
    return block.number, True


def fingerprint(pair: Pair) -> list[Any]:
    """[id, ground's [bytes, time in ns], aerial's]; None for no file."""
    return [pair.id, _status(pair.ground), _status(pair.aerial)]


def _status(path: Path) -> list[int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # The latter for a name with a zero byte.
        return None
    return [status.st_size, status.st_mtime_ns]


@dataclass
class _Seen:
    pixels: np.ndarray | None
    size: list[str]
    reasons: list[str]


def _examined(pair: Pair, view: str, settings: CacheSettings) -> _Seen:
    """One file as network input, or why not; what is odd about it."""
    path = pair.ground if view == "ground" else pair.aerial
    size: list[str] = []
    odd: list[str] = []
    try:
        data = read_file(path)
        if view == "ground":
            panorama = decode_panorama(data)
            image = panorama.pixels
            odd += _turned(panorama.heading)
        else:
            image = decode(data)
        size = [f"{image.shape[1]} x {image.shape[0]}"]
        pixels = _input(image, view, settings)
    except (UserError, ValueError) as error:
        return _Seen(None, size, [str(error).removeprefix(f"{path}: ")])
    return _Seen(pixels, size, odd + _oddities(path, data))


def _turned(heading: float | None) -> list[str]:
    if not heading:
        return []
    return [f"its centre looks {heading:g} degrees (GPano); turned to north"]


def _input(image: np.ndarray, view: str, settings: CacheSettings) -> np.ndarray:
    if view == "satellite":
        return satellite_input(image, settings.image_size)
    return ground_input(
        image, settings.image_size, settings.ground_crop, settings.dataset
    )


def _oddities(path: Path, data: bytes) -> list[str]:
    """What was put right in reading a file, but should be known."""
    header = read_header(data)
    found = []
    if path.suffix.lower() not in _SUFFIXES[header.kind]:
        found.append(f"is a {header.kind} image, whatever its name says")
    if header.kind == "JPEG" and header.channels == 4:
        found.append("is CMYK; converted to RGB")
    if header.bits > 8:
        found.append(f"has {header.bits} bits a channel; converted to 8")
    return found


class _Rows:
    """The rows of a block in one of the array files, written in order.

    Each while it is still in the processor's cache: a whole block would have
    to come back from memory, for its checksum and again for being written.

    Args:
        block: whose rows.
        view: whose array.

    Attributes:
        crc32: of all that was written.
    """

    def __init__(self, block: Block, view: str):
        self.crc32 = 0
        self._place = block.offset
        self._nothing = bytes(block.settings.row_bytes)
        self._file = os.open(block.folder / f"{view}.npy", os.O_WRONLY)

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def append(self, image: np.ndarray | None) -> None:
        """Writes the next row, uint8 [H, W, 3]; zeros for None."""
        data = memoryview(self._nothing)
        if image is not None:
            data = np.ascontiguousarray(image).data.cast("B")
        self.crc32 = zlib.crc32(data, self.crc32)
        while data:
            # A single call may write less than it was given.
            written = os.pwrite(self._file, data, self._place)
            data, self._place = data[written:], self._place + written
