"""OriCNN: networks that are told which direction a pixel shows (2019)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.orientation_channels import OrientationChannels
from mgtl_tf.layers.trunks.generalized_mean import GeneralizedMean
from mgtl_tf.layers.trunks.strided_hypercolumns import StridedHypercolumns
from mgtl_tf.models.two_branch_model import TwoBranchModel


@keras.saving.register_keras_serializable("mgtl_tf")
class OrientationNetwork(TwoBranchModel):
    """A view's colours and directions, hypercolumns, their generalised mean.

    Liu and Li (2019). With 224 x 1232 panoramas and 512 x 512 aerial images
    30,695,808 parameters and descriptors of 1,536 numbers.
    """

    system = "oricnn"

    def _network(self, view):
        config, common = self.config, {"dtype": self.dtype_policy}
        form = "panorama" if view == "ground" else config.satellite_form
        return keras.Sequential(
            [
                OrientationChannels(
                    form,
                    config.panorama_pitch / 180,
                    name="directions",
                    **common,
                ),
                StridedHypercolumns(
                    config.width_multiplier,
                    config.strided_blocks,
                    name="hypercolumns",
                    **common,
                ),
                GeneralizedMean(name="mean", **common),
            ],
            name=view,
        )

    def _vectors(self, network, images, training, first_block):
        # Layer by layer: images with maps have other channels than it is
        # built for.
        directions, hypercolumns, mean = network.layers
        features = hypercolumns(directions(images), training=training)
        return mean(features)
