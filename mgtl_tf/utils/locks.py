"""One writer at a time: locks that end with the process that holds them.

A lock is a file with `flock` on it. The kernel releases it when its holder
ends in any way; the file's text only names the holder.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from absl import logging

from mgtl_tf.utils.errors import UserError

LOCK = ".lock"
"""The file in a folder that is written to for long: a run, a cache."""

_NO_LOCKS = {
    getattr(errno, name)
    for name in "EBADF EINVAL ENOLCK ENOSYS ENOTSUP EOPNOTSUPP".split()
}


@contextmanager
def hold_lock(path: Path, subject: Path | str, doing: str) -> Iterator[None]:
    """Holds a lock; another process or thread that asks for it is refused.

    Args:
        path: the lock's file; made, and removed in the end.
        subject: what it protects, for messages.
        doing: what its holder does, for messages: "training this run".

    Raises:
        UserError: where another holds it: its host, number and since when.
        OSError: where the file cannot be made.
    """
    try:
        descriptor = try_lock(path)
    except LocklessDiskError as error:
        logging.warning(
            "%s: its disk knows no locks (%s); make sure that no other"
            " process is %s",
            subject,
            error,
            doing,
        )
        yield
        return
    if descriptor is None:
        raise UserError(
            f"{subject}: another process is {doing} ({_holder(path)}); wait"
            " until it is done, or end it, then give the same command again"
        )
    try:
        _sign(descriptor)
        yield
    finally:
        # Removed while it is held: who opens it later makes a new one.
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


class LocklessDiskError(Exception):
    """A file system without `flock`, as some network disks are."""


def try_lock(path: Path) -> int | None:
    """Locks a file, which is made where it is missing.

    Returns:
        The descriptor, whose closing ends the lock; None where another
        holds it.

    Raises:
        LocklessDiskError: where its disk knows no locks.
        OSError: where it cannot be made.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_named(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            if error.errno in _NO_LOCKS:
                raise LocklessDiskError(error.strerror) from error
            raise
        # Its holder took the name away between the two calls.
        os.close(descriptor)


def _is_named(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    text = f"process {os.getpid()} on {socket.gethostname()} since {since}"
    with suppress(OSError):  # On a full disk the lock holds without a name.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)


def _holder(path: Path) -> str:
    with suppress(OSError):
        if text := path.read_text(errors="replace")[:200]:
            return " ".join(text.split())
    return "unknown which"
