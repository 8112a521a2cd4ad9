"""Two folders change places in one step, so that a kill finds either."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

# Of <fcntl.h> and <linux/fs.h>, of macOS' <stdio.h>.
_CURRENT_FOLDER = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2


def exchange(one: Path, other: Path) -> bool:
    """Swaps what two names mean, in one step of the file system.

    Args:
        one, other: files or folders on one disk; both are there.

    Returns:
        False where the system or the file system cannot do it; then nothing
        has changed.
    """
    names = os.fsencode(one), os.fsencode(other)
    library = ctypes.CDLL(None)
    if hasattr(library, "renameat2"):
        here = _CURRENT_FOLDER
        return not library.renameat2(
            here, names[0], here, names[1], _RENAME_EXCHANGE
        )
    if hasattr(library, "renamex_np"):
        return not library.renamex_np(*names, _RENAME_SWAP)
    return False
