"""Checksums of a large file block by block, so that a part can be checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BLOCK_BYTES = 2**22
_WHOLE_BYTES = 2**28
_SAMPLED_BLOCKS = 16


@dataclass(frozen=True)
class BlockChecksums:
    """What tells a large file from any other, part by part.

    Attributes:
        bytes: its size.
        sha256: of each block of 4 MiB, in hexadecimal digits.
    """

    bytes: int
    sha256: tuple[str, ...]


def block_checksums(path: Path) -> BlockChecksums:
    """A file's size, and the SHA-256 of each block of 4 MiB.

    Raises:
        OSError: where it cannot be read.
    """
    sums = []
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            sums.append(hashlib.sha256(block).hexdigest())
    return BlockChecksums(path.stat().st_size, tuple(sums))


def check_blocks(
    path: Path, recorded: BlockChecksums, everything: bool
) -> str | None:
    """What is wrong with a file, as a phrase; None where nothing was seen.

    Args:
        path: of the file.
        recorded: what `block_checksums` said of it.
        everything: whether all blocks are read; else, of a file above
            256 MiB, the first, the last and 14 between.

    Raises:
        OSError: where it cannot be read.
    """
    if not path.is_file():
        return "missing"
    size, sums = path.stat().st_size, recorded.sha256
    if size != recorded.bytes:
        return f"damaged ({size:,} bytes, not {recorded.bytes:,})"
    if len(sums) != -(-size // BLOCK_BYTES):
        return f"damaged ({len(sums)} checksums for {size:,} bytes)"
    everything = everything or is_small(size)
    with path.open("rb") as file:
        for number in read_blocks(len(sums), everything):
            file.seek(number * BLOCK_BYTES)
            found = hashlib.sha256(file.read(BLOCK_BYTES)).hexdigest()
            if found != sums[number]:
                place = f"byte {number * BLOCK_BYTES:,} on"
                return f"damaged (not what index.json was written for: {place})"
    return None


def is_small(size: int) -> bool:
    """Whether a file of so many bytes is read wholly in any case."""
    return size <= _WHOLE_BYTES


def read_blocks(count: int, everything: bool) -> list[int]:
    """Which blocks of a file are looked at.

    Args:
        count: how many it has.
        everything: whether all are; else the first, the last and 14 between.
    """
    if everything or count <= _SAMPLED_BLOCKS:
        return list(range(count))
    spread = np.linspace(0, count - 1, _SAMPLED_BLOCKS)
    return sorted(set(spread.astype(int).tolist()))
