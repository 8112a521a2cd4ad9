"""Regmi and Shah's two-stream baseline (2019), without their synthesis."""

from __future__ import annotations

import keras

from mgtl_tf.layers.trunks.strided_pyramid import StridedPyramid
from mgtl_tf.models.cross_view_model import TwoBranchModel


@keras.saving.register_keras_serializable("mgtl_tf")
class TwoStreamBaseline(TwoBranchModel):
    """A view's strided convolutions, then a linear map of three of their maps.

    Of the authors' three stages the one that compares real images alone: no
    synthesised aerial image, so it is no row of their published result. With
    224 x 1232 panoramas and 512 x 512 aerial images 135,841,616 parameters
    and descriptors of 1,000 numbers.
    """

    system = "regmi"

    def _network(self, view):
        config, common = self.config, {"dtype": self.dtype_policy}
        return keras.Sequential(
            [
                StridedPyramid(
                    config.width_multiplier,
                    config.strided_blocks,
                    config.backbone_normalization,
                    config.backbone_dropout,
                    name="pyramid",
                    **common,
                ),
                keras.layers.Dense(
                    config.descriptor_size,
                    kernel_initializer=keras.initializers.TruncatedNormal(
                        stddev=0.005
                    ),
                    bias_initializer=keras.initializers.Constant(0.1),
                    name="projection",
                    **common,
                ),
            ],
            name=view,
        )
