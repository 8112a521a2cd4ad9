"""SAFA: spatial-aware feature aggregation (Shi et al. 2019)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.spatial_maps import SpatialMaps
from mgtl_tf.layers.vgg16 import VGG16Features
from mgtl_tf.models.cross_view_model import TwoBranchModel, vgg16_arguments


@keras.saving.register_keras_serializable("mgtl_tf")
class SpatialAwareAggregation(TwoBranchModel):
    """SAFA: a view's VGG-16 to its last pooling, then M spatial maps.

    With 8 maps and 112 x 616 images 29,533,696 parameters and descriptors of
    8 x 512 = 4,096 numbers.
    """

    system = "safa"

    def _network(self, view):
        common = {"dtype": self.dtype_policy}
        backbone = vgg16_arguments(self.config)
        return keras.Sequential(
            [
                VGG16Features(**backbone, name="vgg16", **common),
                SpatialMaps(self.config.attention_maps, name="maps", **common),
            ],
            name=view,
        )

    def _vectors(self, network, images, training, first_block):
        vgg16, maps = network.layers
        features = vgg16(images, training=training, first_block=first_block)
        return maps(features)

    @property
    def backbones(self):
        """Both VGG16Features."""
        return [self.ground.layers[0], self.satellite.layers[0]]
