"""Size and SHA-256 of a file, as JSON keeps them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.utils.plain_files import UnfitFileError, first_line, open_plain

_BLOCK = 2**20


@dataclass(frozen=True)
class Fingerprint:
    """What tells a file from any other.

    Attributes:
        bytes: its size.
        sha256: of its content, 64 hexadecimal digits.
    """

    bytes: int
    sha256: str


def fingerprint(path: Path | str) -> Fingerprint:
    """Reads a whole file.

    Raises:
        UnfitFileError: where it is missing, no regular file or unreadable.
    """
    with open_plain(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        try:
            digest = hashlib.sha256()
            while block := file.read(_BLOCK):
                digest.update(block)
        except OSError as error:
            raise UnfitFileError(first_line(error)) from error
    return Fingerprint(size, digest.hexdigest())


def require_same(path: Path | str, written: Fingerprint) -> None:
    """Compares a file with what it was written as.

    Raises:
        UnfitFileError: where it is missing or differs, with a phrase.
    """
    with open_plain(path) as file:
        size = file.seek(0, 2)
    if size != written.bytes:
        raise UnfitFileError(f"has {size:,} bytes, not {written.bytes:,}")
    if fingerprint(path) != written:
        raise UnfitFileError("its content changed (checksum)")
