"""A source of pairs as an operation of a tf.data graph."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from mgtl_tf.datasets.sources import PairSource


class PairLoader:
    """A source as a graph operation: rows int [B] to images or maps."""

    def __init__(self, source: PairSource, batch_size: int | None):
        self._source = source
        # A traced step needs to know H and W.
        views = source.load(np.zeros(1, np.int64))
        self._shapes = [(batch_size, *view.shape[1:]) for view in views]
        self._dtype = tf.as_dtype(views[0].dtype)

    def __call__(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        ground, satellite = tf.numpy_function(
            self._source.load, [rows], (self._dtype, self._dtype)
        )
        return (
            tf.ensure_shape(ground, self._shapes[0]),
            tf.ensure_shape(satellite, self._shapes[1]),
        )
