"""Opening a file that may be anything: a folder, a pipe, far too large."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path


def open_regular(
    path: Path | str, limit: int | None = None
) -> io.BufferedReader:
    """Opens a regular file for reading; never waits for a pipe's writer.

    Args:
        path: of the file.
        limit: most bytes that it may have.

    Raises:
        ValueError: for what is no regular file, or larger.
        OSError: where it is missing or cannot be read.
    """
    # Without O_NONBLOCK, opening a pipe waits until somebody writes.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("is a folder or device, not a file")
        if limit is not None and found.st_size > limit:
            raise ValueError(
                f"has {found.st_size:,} bytes, more than {limit:,}"
            )
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")
