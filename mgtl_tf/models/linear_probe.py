"""A linear probe: VGG-16's first blocks, and one linear map a column."""

from __future__ import annotations

import keras

from mgtl_tf.layers.column_projection import ColumnProjection
from mgtl_tf.models.vgg16_model import VGG16Model


@keras.saving.register_keras_serializable("mgtl_tf")
class LinearProbe(VGG16Model):
    """The first blocks of VGG-16, meant to be frozen, and a linear map.

    What is learnt is a view's map from all rows and channels of a column to
    C numbers: so little that it transfers from synthetic to real images. With
    four blocks and 112 x 616 images a descriptor has 39 x C numbers.
    """

    system = "linear_probe"

    def _backbone_arguments(self, view):
        # Dropout is the projection's.
        own = {"dropout": 0.0, "blocks": self.config.blocks}
        return super()._backbone_arguments(view) | own

    def _head(self, view):
        return ColumnProjection(
            self.config.channels,
            self.config.backbone_dropout,
            name="columns",
            dtype=self.dtype_policy,
        )
