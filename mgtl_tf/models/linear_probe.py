"""A linear probe: VGG-16's first blocks, and one linear map a column."""

from __future__ import annotations

import keras

from mgtl_tf.layers.column_projection import ColumnProjection
from mgtl_tf.layers.vgg16 import VGG16Features
from mgtl_tf.models.cross_view_model import TwoBranchModel, vgg16_arguments


@keras.saving.register_keras_serializable("mgtl_tf")
class LinearProbe(TwoBranchModel):
    """The first blocks of VGG-16, meant to be frozen, and a linear map.

    What is learnt is a view's map from all rows and channels of a column to
    C numbers: so little that it transfers from synthetic to real images. With
    four blocks and 112 x 616 images a descriptor has 39 x C numbers.
    """

    system = "linear_probe"

    def _network(self, view):
        common = {"dtype": self.dtype_policy}
        backbone = vgg16_arguments(self.config)
        # Dropout is the projection's.
        backbone |= {"dropout": 0.0, "blocks": self.config.blocks}
        return keras.Sequential(
            [
                VGG16Features(**backbone, name="vgg16", **common),
                ColumnProjection(
                    self.config.channels,
                    self.config.backbone_dropout,
                    name="columns",
                    **common,
                ),
            ],
            name=view,
        )

    def _vectors(self, network, images, training, first_block):
        vgg16, columns = network.layers
        features = vgg16(images, training=training, first_block=first_block)
        return columns(features, training=training)

    @property
    def backbones(self):
        """Both VGG16Features."""
        return [self.ground.layers[0], self.satellite.layers[0]]
