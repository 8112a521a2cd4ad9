"""Regmi and Shah's two-stream baseline (2019), without their synthesis."""

from __future__ import annotations

import keras

from mgtl_tf.layers.trunks.strided_pyramid import StridedPyramid
from mgtl_tf.models.two_branch_model import TwoBranchModel


@keras.saving.register_keras_serializable("mgtl_tf")
class TwoStreamBaseline(TwoBranchModel):
    """A view's strided convolutions, then a linear map of three of their maps.

    No synthesised aerial image is compared, so it is no row of the authors'
    published result; their three stages are AerialSynthesis, JointFeatures and
    FusedFeatures. With 224 x 1232 panoramas and 512 x 512 aerial images
    135,841,616 parameters and descriptors of 1,000 numbers.
    """

    system = "regmi"

    def _network(self, view):
        projection = keras.layers.Dense(
            self.config.descriptor_size,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.005),
            bias_initializer=keras.initializers.Constant(0.1),
            name="projection",
            dtype=self.dtype_policy,
        )
        return keras.Sequential([self._pyramid(), projection], name=view)

    def _pyramid(self, name="pyramid"):
        config = self.config
        return StridedPyramid(
            config.width_multiplier,
            config.strided_blocks,
            config.backbone_normalization,
            config.backbone_dropout,
            name=name,
            dtype=self.dtype_policy,
        )
