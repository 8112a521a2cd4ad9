"""Batches as they are taken: ahead on a GPU, and with a source's own errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

import tensorflow as tf

from mgtl_tf.utils.errors import UserError

Batch = TypeVar("Batch")

_ON_GPU = 2


def on_one_gpu(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Batches that are copied to the GPU while the step before computes.

    Unchanged where there is no GPU, or several: these share each batch.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if len(gpus) != 1:
        return batches
    copied = tf.data.experimental.prefetch_to_device(gpus[0].name, _ON_GPU)
    return batches.apply(copied)


def raising_user_errors(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The batches; raises a source's `UserError`, which tf.data wraps."""
    try:
        yield from batches
    except tf.errors.OpError as error:
        found = re.search(r"UserError: (.+)", str(error.message))
        if not found:
            raise
        raise UserError(found.group(1).strip()) from error
