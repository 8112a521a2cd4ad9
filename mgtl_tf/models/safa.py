"""SAFA: spatial-aware feature aggregation (Shi et al. 2019)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.spatial_maps import SpatialMaps
from mgtl_tf.models.vgg16_model import VGG16Model


@keras.saving.register_keras_serializable("mgtl_tf")
class SpatialAwareAggregation(VGG16Model):
    """SAFA: a view's VGG-16 to its last pooling, then M spatial maps.

    With 8 maps and 112 x 616 images 29,533,696 parameters and descriptors of
    8 x 512 = 4,096 numbers.
    """

    system = "safa"

    def _head(self, view):
        return SpatialMaps(
            self.config.attention_maps, name="maps", dtype=self.dtype_policy
        )
