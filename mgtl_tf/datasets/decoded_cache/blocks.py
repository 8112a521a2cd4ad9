"""One block of a decoded cache: made, or compared with its checksums.

These run in the worker processes and write to the array files themselves:
sending pixels back to one process would keep it, not the decoders, busy.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mgtl_tf.datasets.decoded_cache.files import (
    BLOCK_ROWS,
    BlockRecord,
    CacheSettings,
    Status,
)
from mgtl_tf.datasets.preprocess import ground_input, read_file, satellite_input
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.utils.errors import UserError
from polar.image_files import decode, decode_panorama, read_header

_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff", ".gtif", ".gtiff"),
}


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a cache.

    Attributes:
        folder: of the cache.
        settings: of the cache.
        number: of the block; its first row is number * BLOCK_ROWS.
        pairs: of its rows.
    """

    folder: Path
    settings: CacheSettings
    number: int
    pairs: tuple[Pair, ...]


def write_block(block: Block) -> tuple[Path, BlockRecord]:
    """Decodes a block's files and writes their pixels.

    A pair whose files cannot be used has rows of zeros and is in `left_out`.

    Returns:
        The cache's folder and the block's record.

    Raises:
        OSError: where the arrays cannot be written.
    """
    files = block.settings.row_files(block.folder)
    record = BlockRecord(block.number, [], (0, 0), [], [], {})
    crc32 = [0] * len(files)
    sizes: dict[str, Counter[str]] = {view: Counter() for view in VIEWS}
    for row, pair in enumerate(block.pairs, block.number * BLOCK_ROWS):
        place = row % BLOCK_ROWS
        record.rows.append(fingerprint(pair))
        images = []
        for view in VIEWS:
            found = _examine(pair, view, block.settings)
            if found.pixels is None:
                listed = record.left_out
            else:
                listed = record.warnings
                images.append(found.pixels)
            listed += [(place, view, reason) for reason in found.reasons]
            sizes[view].update(found.size)
        if len(images) < len(VIEWS):
            images = [np.zeros(file.shape, np.uint8) for file in files]
        for n, image in enumerate(images):
            crc32[n] = files[n].write(row, image, crc32[n])
    for view, counts in sizes.items():
        record.sizes[view] = dict(sorted(counts.items()))
    return block.folder, replace(record, crc32=(crc32[0], crc32[1]))


def check_block(job: tuple[Block, BlockRecord]) -> tuple[int, bool]:
    """A block's number, and whether its bytes still have its checksums."""
    block, record = job
    first, count = block.number * BLOCK_ROWS, len(block.pairs)
    files = block.settings.row_files(block.folder)
    found = tuple(file.crc32(first, count) for file in files)
    return block.number, found == tuple(record.crc32)


def check_left_out(job: tuple[Block, BlockRecord]) -> tuple[int, bool]:
    """A block's number, and whether what it left out is still unusable."""
    block, record = job
    for row, view, reason in record.left_out:
        found = _examine(block.pairs[row], view, block.settings)
        if found.pixels is not None or found.reasons != [reason]:
            return block.number, False
    return block.number, True


def file_of(pair: Pair, view: str) -> Path:
    """The file that one of VIEWS is made of."""
    return pair.ground if view == "ground" else pair.aerial


def fingerprint(pair: Pair) -> tuple[str, Status, Status]:
    """Id, ground's and aerial's status."""
    return pair.id, _status(pair.ground), _status(pair.aerial)


def _status(path: Path) -> Status:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # The latter for a name with a zero byte.
        return None
    return status.st_size, status.st_mtime_ns


class _Examined(NamedTuple):
    pixels: np.ndarray | None
    size: list[str]
    reasons: list[str]


def _examine(pair: Pair, view: str, settings: CacheSettings) -> _Examined:
    """One file as network input, or why not; what was converted in it."""
    path = file_of(pair, view)
    size: list[str] = []
    if view == "ground" and settings.ground_form == "none":
        return _Examined(np.empty((0, 0, 3), np.uint8), [], [])
    try:
        data = read_file(path)
        heading = None
        if view == "ground":
            image, heading = decode_panorama(data)
        else:
            image = decode(data)
        size = [f"{image.shape[1]} x {image.shape[0]}"]
        pixels = _network_input(image, view, settings)
    except (UserError, ValueError) as error:
        return _Examined(None, size, [str(error).removeprefix(f"{path}: ")])
    return _Examined(pixels, size, _conversions(path, data, heading))


def _network_input(
    image: np.ndarray, view: str, settings: CacheSettings
) -> np.ndarray:
    size = settings.form.size(view)
    if view == "satellite":
        return satellite_input(image, size, settings.satellite_form)
    return ground_input(
        image,
        size,
        settings.ground_crop,
        settings.dataset,
        settings.ground_form,
    )


def _conversions(path: Path, data: bytes, heading: float | None) -> list[str]:
    header = read_header(data)
    found = []
    if heading:
        found.append(
            f"its centre looks {heading:g} degrees (GPano); turned to north"
        )
    if path.suffix.lower() not in _SUFFIXES[header.kind]:
        found.append(f"is a {header.kind} image, despite its name")
    if header.kind == "JPEG" and header.channels == 4:
        found.append("is CMYK; converted to RGB")
    if header.bits > 8:
        found.append(f"has {header.bits} bits a channel; converted to 8")
    return found
