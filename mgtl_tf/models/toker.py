"""Toker et al. (2021): the retrieval half of "Coming Down to Earth"."""

from __future__ import annotations

import keras

from mgtl_tf.layers.spatial_maps import SpatialMaps
from mgtl_tf.layers.trunks.generator_encoder import GeneratorEncoder
from mgtl_tf.layers.trunks.resnet34 import ResNet34Features
from mgtl_tf.models.cross_view_model import TwoBranchModel


@keras.saving.register_keras_serializable("mgtl_tf")
class RetrievalOnly(TwoBranchModel):
    """Panoramas by ResNet-34, aerial images by a generator's encoder.

    All that the authors' network has at test time, trained by the retrieval
    loss alone: no street view is generated from the aerial image, and there
    is no discriminator. Both maps go through spatial maps whose salience is
    the maximum over channels. With 112 x 616 images 35,087,888 parameters and
    descriptors of 8 x 256 = 2,048 numbers.
    """

    system = "toker"

    def _network(self, view):
        config, common = self.config, {"dtype": self.dtype_policy}
        if view == "ground":
            trunk = ResNet34Features(
                config.width_multiplier,
                config.ground_blocks,
                name="resnet34",
                **common,
            )
        else:
            trunk = GeneratorEncoder(
                config.width_multiplier,
                config.residual_blocks,
                name="encoder",
                **common,
            )
        maps = SpatialMaps(config.attention_maps, "max", name="maps", **common)
        return keras.Sequential([trunk, maps], name=view)
