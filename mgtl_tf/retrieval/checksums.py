"""Checksums of a large file block by block, so that a part can be checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

BLOCK_BYTES = 2**22
_WHOLE_BYTES = 2**28
_SAMPLED_BLOCKS = 16


def block_checksums(path: Path) -> dict[str, Any]:
    """A file's size, and the SHA-256 of each block of 4 MiB, as JSON has it.

    Raises:
        OSError: where it cannot be read.
    """
    sums = []
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            sums.append(hashlib.sha256(block).hexdigest())
    return {"bytes": path.stat().st_size, "sha256": sums}


def check_blocks(
    path: Path, recorded: Mapping[str, Any], everything: bool
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
    size, sums = path.stat().st_size, recorded["sha256"]
    if size != recorded["bytes"]:
        return f"damaged ({size:,} bytes, not {recorded['bytes']:,})"
    numbers: Sequence[int] = range(len(sums))
    if size > _WHOLE_BYTES and not everything:
        spread = np.linspace(0, len(sums) - 1, _SAMPLED_BLOCKS)
        numbers = sorted(set(spread.astype(int).tolist()))
    with path.open("rb") as file:
        for number in numbers:
            file.seek(number * BLOCK_BYTES)
            found = hashlib.sha256(file.read(BLOCK_BYTES)).hexdigest()
            if found != sums[number]:
                place = f"byte {number * BLOCK_BYTES:,} on"
                return f"damaged (not what index.json was written for: {place})"
    return None
