"""Sizes and SHA-256 checksums of files: whole, or block by block."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgtl_tf.utils.plain_files import UnfitFileError, first_line, open_plain

BLOCK_BYTES = 2**22
_SMALL_BYTES = 2**28
_SAMPLED_BLOCKS = 16


@dataclass(frozen=True)
class Fingerprint:
    """Identifies a file's content.

    Attributes:
        bytes: its size.
        sha256: of its content, 64 hexadecimal digits.
    """

    bytes: int
    sha256: str


@dataclass(frozen=True)
class BlockChecksums:
    """Identifies a large file's content, part by part.

    Attributes:
        bytes: its size.
        sha256: of each block of 4 MiB.
    """

    bytes: int
    sha256: tuple[str, ...]


def fingerprint(path: Path | str) -> Fingerprint:
    """Reads a file.

    Raises:
        UnfitFileError: where it is missing, no regular file or unreadable.
    """
    with open_plain(path) as file:
        try:
            digest = hashlib.file_digest(file, "sha256")
        except OSError as error:
            raise UnfitFileError(first_line(error)) from error
        return Fingerprint(file.tell(), digest.hexdigest())


def require_same(path: Path | str, written: Fingerprint) -> None:
    """Compares a file with what it was when it was written, its size first.

    Raises:
        UnfitFileError: where it is missing or differs, with a phrase.
    """
    with open_plain(path) as file:
        size = file.seek(0, 2)
    if size != written.bytes:
        raise UnfitFileError(f"has {size:,} bytes, not {written.bytes:,}")
    if fingerprint(path) != written:
        raise UnfitFileError("its content changed (checksum)")


def block_checksums(path: Path) -> BlockChecksums:
    """Reads a file, block by block.

    Raises:
        OSError: where it cannot be read.
    """
    sums = []
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            sums.append(hashlib.sha256(block).hexdigest())
        return BlockChecksums(file.tell(), tuple(sums))


def check_blocks(
    path: Path, recorded: BlockChecksums, everything: bool
) -> str | None:
    """What is wrong with a file, as a phrase; None where nothing was found.

    Args:
        path: of the file.
        recorded: its `block_checksums` when it was written.
        everything: as of `sampled_blocks`.

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
    with path.open("rb") as file:
        for number in sampled_blocks(len(sums), size, everything):
            file.seek(number * BLOCK_BYTES)
            found = hashlib.sha256(file.read(BLOCK_BYTES)).hexdigest()
            if found != sums[number]:
                place = f"byte {number * BLOCK_BYTES:,} on"
                return f"damaged (not what was written: {place})"
    return None


def sampled_blocks(count: int, size: int, everything: bool) -> list[int]:
    """Which blocks of a file are read when it is opened.

    Args:
        count: how many it has.
        size: of the file in bytes.
        everything: whether all are; else, above 256 MiB, the first, the last
            and 14 between.
    """
    if everything or size <= _SMALL_BYTES or count <= _SAMPLED_BLOCKS:
        return list(range(count))
    return np.linspace(0, count - 1, _SAMPLED_BLOCKS).astype(int).tolist()
