"""Zhai-style layout matching (Zhai et al. 2017)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import build_chain, run_chain
from mgtl_tf.layers.label_layout import LabelLayout
from mgtl_tf.layers.layout_transfer import LayoutTransfer
from mgtl_tf.layers.trunks.hypercolumn import Hypercolumn, normalization
from mgtl_tf.layers.vgg16 import scaled_width
from mgtl_tf.models.cross_view_model import CrossViewModel
from mgtl_tf.models.vectors import unit_vectors

_CLASSES = 4
_HIDDEN = 512
_TINY = 1e-7


@keras.saving.register_keras_serializable("mgtl_tf")
class LayoutMatching(CrossViewModel):
    """Predicts a panorama's layout from above; places are found by it.

    The ground view is a coloured label map (`datasets.label_maps`), whose
    shares of the classes on a grid are its descriptor. The aerial image goes
    through the trunk, a perceptron in every cell and LayoutTransfer; the
    softmax of the result is its descriptor, and is trained towards the
    label map's shares by cross-entropy. How the authors turned layouts into
    retrieval was not published: to compare them by their cosine is our rule.
    Their weight decay (2.5e-4 of the squared weights) is left out.

    With 224 x 224 aerial images and a grid of 8 x 40, 8,470,886 parameters and
    descriptors of 1,280 numbers.
    """

    system = "zhai"
    loss_name = "layout_loss"

    def __init__(self, config=None, **kwargs):
        super().__init__(config, **kwargs)
        config, common = self.config, {"dtype": self.dtype_policy}
        self.layout = LabelLayout(config.layout_size, name="layout", **common)
        self.trunk = Hypercolumn(
            config.width_multiplier, name="trunk", **common
        )
        width = scaled_width(_HIDDEN, config.width_multiplier)
        self.perceptron = []
        for number in (1, 2):
            self.perceptron += [
                keras.layers.Dense(
                    width, use_bias=False, name=f"cell{number}", **common
                ),
                normalization(f"cell{number}_bn", self.dtype_policy),
                keras.layers.ReLU(name=f"cell{number}_relu", **common),
            ]
        self.scores = keras.layers.Dense(_CLASSES, name="scores", **common)
        self.transfer = LayoutTransfer(
            config.layout_size, name="transfer", **common
        )

    def build(self, input_shape):
        self.layout.build(input_shape["ground"])
        shape = input_shape["satellite"]
        self.trunk.build(shape)
        columns = self.trunk.compute_output_shape(shape)
        columns = build_chain([*self.perceptron, self.scores], columns)
        last = (*columns[:3], self.trunk.widths[-1][-1])
        self.transfer.build(columns, last)

    @property
    def parts(self):
        """Names to layers, for counts by part."""
        return {
            "satellite trunk": [self.trunk],
            "satellite cells": [*self.perceptron, self.scores],
            "satellite transfer": [self.transfer],
        }

    def _forward(self, images, view, training, first_block=0):
        if view == "ground":
            return unit_vectors(self.layout(images)), [], []
        pixels = ops.cast(images, "float32") / 127.5 - 1
        columns = self.trunk(
            ops.cast(pixels, self.compute_dtype), training=training
        )
        cells = run_chain(self.perceptron, columns, training)
        last = columns[..., -self.trunk.widths[-1][-1] :]
        scores = self.transfer(self.scores(cells), last, training=training)
        shares = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        return unit_vectors(shares), [], []

    def retrieval_loss(
        self, ground, satellite, negatives=None, default=None, **options
    ):
        """Cross-entropy of the predicted layout, the mean over all cells.

        A unit vector is its layout but for its length, which the shares of
        a cell, of sum 1, give back.
        """
        truth, predicted = (_shares(vectors) for vectors in (ground, satellite))
        logs = ops.log(ops.maximum(predicted, _TINY))
        return -ops.mean(ops.sum(truth * logs, axis=-1))


def _shares(vectors):
    """Unit vectors [B, D] to the layouts that they are of, [B, D / K, K]."""
    cells = ops.reshape(vectors, (-1, vectors.shape[1] // _CLASSES, _CLASSES))
    total = ops.sum(cells, axis=-1, keepdims=True)
    return cells / ops.maximum(total, _TINY)
