"""SAFA: spatial-aware feature aggregation (Shi et al. 2019)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.spatial_maps import SpatialMaps
from mgtl_tf.layers.vgg16 import VGG16Features
from mgtl_tf.models.two_views import TwoViewModel


@keras.saving.register_keras_serializable("mgtl_tf")
class SpatialAwareNetwork(keras.layers.Layer):
    """One view of SAFA: VGG-16 to its last pooling, then M spatial maps.

    Args:
        maps: M.
        width_multiplier, poolings, normalization, dropout, rematerialize: of
            VGG16Features.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].
        training: whether dropout acts and batch statistics are used.

    Output:
        [B, M, C].
    """

    def __init__(
        self,
        maps=8,
        width_multiplier=1.0,
        poolings=5,
        normalization="none",
        dropout=0.2,
        rematerialize=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.backbone_arguments = {
            "width_multiplier": width_multiplier,
            "poolings": poolings,
            "normalization": normalization,
            "dropout": dropout,
            "rematerialize": rematerialize,
        }
        self.maps = maps

    def build(self, input_shape):
        """Builds backbone and head for [B, H, W, 3]."""
        self.backbone = VGG16Features(
            **self.backbone_arguments, name="vgg16", dtype=self.dtype_policy
        )
        self.backbone.build(input_shape)
        self.head = SpatialMaps(self.maps, name="maps", dtype=self.dtype_policy)
        self.head.build(self.backbone.compute_output_shape(input_shape))

    def call(self, images, training=None):
        """M vectors an image."""
        return self.head(self.backbone(images, training=training))

    def compute_output_shape(self, input_shape):
        """[B, M, C] for [B, H, W, 3]."""
        features = VGG16Features(**self.backbone_arguments)
        channels = features.compute_output_shape(input_shape)[-1]
        return (input_shape[0], self.maps, channels)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            **self.backbone_arguments,
            "maps": self.maps,
        }


@keras.saving.register_keras_serializable("mgtl_tf")
class SpatialAwareAggregation(TwoViewModel):
    """SAFA with `attention_maps` maps: two networks of their own weights.

    With 8 maps and 112 x 616 images 29,533,696 parameters and descriptors of
    8 x 512 = 4,096 numbers. What it takes and gives: see TwoViewModel.
    """

    def _network(self, view):
        config = self.config
        return SpatialAwareNetwork(
            config.attention_maps,
            config.width_multiplier,
            config.poolings,
            config.backbone_normalization,
            config.backbone_dropout,
            config.rematerialize,
            name=view,
            dtype=self.dtype_policy,
        )

    @property
    def backbones(self):
        """Both VGG16Features, which pretrained weights may start."""
        return [network.backbone for network in self.networks.values()]
