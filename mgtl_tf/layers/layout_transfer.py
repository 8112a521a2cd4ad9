"""From the layout seen above to the layout around (Zhai et al. 2017)."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer, build_chain
from mgtl_tf.layers.trunks.hypercolumn import normalization

_CODE_WIDTH = 64
_WIDTHS = (128, 64)


@keras.saving.register_keras_serializable("mgtl_tf")
class LayoutTransfer(ConfiguredLayer):
    """Class scores of an aerial grid to those of a panorama's grid.

    Each target cell takes a weighted mean of all source cells, and a bias of
    its row and class is added. The weights are the softmax over the source
    cells of a small network, 128 - 64 - 1, of the four coordinates in 0..1
    (i, j of the source, y, x of the target) and of a code of the whole image:
    the features through 1x1 maps to 64 and to 1 channel, flattened. Hidden
    layers have batch normalisation and ReLU.

    Args:
        size: (rows, columns) of the panorama's grid.

    Call arguments:
        scores: [B, h, w, K].
        features: [B, h, w, C], of which the code is made.
        training: whether batch statistics are used.

    Output:
        [B, rows, columns, K].
    """

    def __init__(self, size=(8, 40), **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(size)

    def build(self, scores_shape, features_shape=None):
        features_shape = features_shape or scores_shape
        cells = features_shape[1] * features_shape[2]
        hidden = (*features_shape[:3], _CODE_WIDTH)
        self.code = self._dense("code", _CODE_WIDTH)
        self.code_norm = normalization("code_bn", self.dtype_policy)
        self.code_last = self._dense("code_last", 1, True)
        build_chain([self.code], features_shape)
        build_chain([self.code_norm, self.code_last], hidden)
        # One map of coordinates and code, in two parts: the coordinates are
        # the same for all images, the code for all cells of one.
        self.of_place = self._dense("of_place", _WIDTHS[0])
        self.of_place.build((None, 4))
        self.of_code = self._dense("of_code", _WIDTHS[0])
        self.of_code.build((None, cells))
        self.first_norm = normalization("first_bn", self.dtype_policy)
        self.second = self._dense("second", _WIDTHS[1])
        self.second_norm = normalization("second_bn", self.dtype_policy)
        self.last = self._dense("last", 1, True)
        pairs = (None, cells * self.size[0] * self.size[1], _WIDTHS[0])
        build_chain(
            [self.first_norm, self.second, self.second_norm, self.last], pairs
        )
        self.row_bias = self.add_weight(
            name="row_bias",
            shape=(self.size[0], scores_shape[3]),
            initializer="zeros",
        )

    def _dense(self, name, width, bias=False):
        return keras.layers.Dense(
            width, use_bias=bias, name=name, dtype=self.dtype_policy
        )

    def call(self, scores, features, training=None):
        cells = scores.shape[1] * scores.shape[2]
        weights = self._weights(features, cells, training)
        flat = ops.reshape(scores, (-1, cells, scores.shape[3]))
        weights = ops.cast(weights, flat.dtype)
        moved = ops.einsum("bts,bsk->btk", weights, flat)
        moved = ops.reshape(moved, (-1, *self.size, scores.shape[3]))
        bias = ops.cast(self.row_bias, moved.dtype)
        return moved + bias[:, None]

    def _weights(self, features, cells, training):
        """[B, targets, sources], float32, each row of sum 1."""
        code = self.code_norm(self.code(features), training=training)
        code = self.code_last(ops.relu(code))
        code = self.of_code(ops.reshape(code, (-1, cells)))
        grid = _coordinates(features.shape[1:3], self.size)
        hidden = self.of_place(ops.convert_to_tensor(grid, features.dtype))
        hidden = hidden[None] + code[:, None]  # [B, targets * sources, 128]
        hidden = ops.relu(self.first_norm(hidden, training=training))
        hidden = self.second(hidden)
        hidden = ops.relu(self.second_norm(hidden, training=training))
        found = ops.reshape(
            self.last(hidden), (-1, grid.shape[0] // cells, cells)
        )
        return ops.softmax(ops.cast(found, "float32"), axis=-1)

    def compute_output_shape(self, scores_shape, features_shape=None):
        return (scores_shape[0], *self.size, scores_shape[3])


def _coordinates(source, target):
    """i, j, y, x in 0..1 of every target and, within it, every source cell."""
    axes = [np.linspace(0, 1, count) for count in (*target, *source)]
    y, x, i, j = (a.ravel() for a in np.meshgrid(*axes, indexing="ij"))
    return np.stack([i, j, y, x], axis=1).astype("f4")
