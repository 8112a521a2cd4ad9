"""What TensorFlow says of a disk, as the system would say it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Around what TensorFlow writes: its errors as the system's.

    A full disk comes as ResourceExhaustedError, as want of memory does.

    Raises:
        OSError: with TensorFlow's reason, without a name.
    """
    try:
        yield
    except tf.errors.OpError as error:
        line = (str(error.message).strip().splitlines() or ["unknown"])[0]
        raise OSError(None, line.rpartition("; ")[2]) from error
