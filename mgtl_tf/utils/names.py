"""Names beside a file or folder, for what is not finished yet."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_LONGEST_NAME = 255
"""Bytes that a name may have, on all usual file systems."""

_LONGEST_SUFFIX = 16


def hidden_beside(path: Path, word: str, suffix: str = "") -> Path:
    """A hidden name in the same folder, the same at every call.

    Args:
        path: the file or folder that it is about; of any name.
        word: tells what it is for: "new", "old", "lock".
        suffix: that the name ends with, where a writer looks at it.
    """
    if len(suffix) > _LONGEST_SUFFIX:
        suffix = ""
    name = f".{path.name}.{word}{suffix}"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()
        name = f".{digest[:32]}.{word}{suffix}"
    return path.with_name(name)
