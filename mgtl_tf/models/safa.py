"""SAFA: spatial-aware feature aggregation (Shi et al. 2019)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.spatial_maps import SpatialMaps
from mgtl_tf.layers.vgg16 import VGG16Features
from mgtl_tf.models.cross_view_model import TwoBranchModel, vgg16_arguments


@keras.saving.register_keras_serializable("mgtl_tf")
class SpatialAwareNetwork(keras.layers.Layer):
    """One view of SAFA: VGG-16 to its last pooling, then M spatial maps.

    Args:
        maps: M.
        backbone: dict of arguments of VGG16Features.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].
        training: whether dropout acts and batch statistics are used.

    Output:
        [B, M, C].
    """

    def __init__(self, maps=8, backbone=None, **kwargs):
        super().__init__(**kwargs)
        self.maps = maps
        self.backbone = dict(backbone or {})
        self.vgg16 = VGG16Features(
            **self.backbone, name="vgg16", dtype=self.dtype_policy
        )
        self.head = SpatialMaps(maps, name="maps", dtype=self.dtype_policy)

    def build(self, input_shape):
        """Builds backbone and head for [B, H, W, 3]."""
        self.vgg16.build(input_shape)
        self.head.build(self.vgg16.compute_output_shape(input_shape))

    def call(self, images, training=None):
        """M vectors an image."""
        return self.head(self.vgg16(images, training=training))

    def compute_output_shape(self, input_shape):
        """[B, M, C] for [B, H, W, 3]."""
        features = self.vgg16.compute_output_shape(input_shape)
        return (input_shape[0], self.maps, features[-1])

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "maps": self.maps,
            "backbone": dict(self.backbone),
        }


@keras.saving.register_keras_serializable("mgtl_tf")
class SpatialAwareAggregation(TwoBranchModel):
    """SAFA with `attention_maps` maps: two networks of their own weights.

    With 8 maps and 112 x 616 images 29,533,696 parameters and descriptors of
    8 x 512 = 4,096 numbers. What it takes and gives: see TwoBranchModel.
    """

    system = "safa"

    def _network(self, **common):
        return SpatialAwareNetwork(
            self.config.attention_maps, vgg16_arguments(self.config), **common
        )

    @property
    def backbones(self):
        """Both VGG16Features, which pretrained weights may start."""
        return [self.ground.vgg16, self.satellite.vgg16]
