"""Reading a file that may be anything, and words for what is wrong with it."""

from __future__ import annotations

import io
import os
from pathlib import Path

from mgtl_tf.utils.errors import UserError
from polar.regular_files import open_regular

QUOTED = 80
"""How many characters of a wrong value an error shows."""


class UnfitFileError(Exception):
    """A file that is not what it should be; the message is a phrase."""


def open_plain(path: Path | str, limit: int | None = None) -> io.BufferedReader:
    """Opens a regular file for reading; never waits for a pipe's writer.

    Args:
        path: of the file.
        limit: most bytes that it may have.

    Raises:
        UnfitFileError: where it is missing, no regular file, or larger.
    """
    try:
        return open_regular(path, limit)
    except (OSError, ValueError) as error:
        raise UnfitFileError(_reason(error)) from error


def read_bytes(path: Path | str, limit: int) -> bytes:
    """All bytes of a regular file.

    Raises:
        UnfitFileError: as `open_plain`, or where the disk does not give it.
    """
    with open_plain(path, limit) as file:
        try:
            # Not `limit` itself: that many bytes would be allocated.
            return file.read(min(limit, os.fstat(file.fileno()).st_size))
        except OSError as error:
            raise UnfitFileError(_reason(error)) from error


def quoted(value: object) -> str:
    """A wrong value as it is shown in an error: one line, bounded."""
    text = value if isinstance(value, str) else repr(value)
    text = text if len(text) <= QUOTED else text[: QUOTED - 3] + "..."
    return repr(text) if isinstance(value, str) else text


def first_line(error: BaseException) -> str:
    """Another library's message: one line, bounded."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][: 2 * QUOTED]


def damaged(
    path: Path | str,
    reason: object,
    remedy: str,
    error: type[UserError] = UserError,
) -> UserError:
    """The error about a file whose content is not what it should be.

    Args:
        path: of the file.
        reason: what is wrong, a phrase.
        remedy: what to do; may be empty.
        error: the type of the result.
    """
    return error(f"{path}: damaged ({reason})" + (remedy and f"; {remedy}"))


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error)
