"""Workman-style regression with AlexNets."""

from __future__ import annotations

import keras

from mgtl_tf.layers.trunks.alexnet import AlexNet
from mgtl_tf.models.regression_model import RegressionModel


@keras.saving.register_keras_serializable("mgtl_tf")
class GroundFeatureRegression(RegressionModel):
    """Regression of AlexNet's last layer, fc8.

    Theirs is AlexNet trained on Places, whose weights Keras does not have:
    here the ground network keeps random ones.

    With 224 x 224 images 57,708,109 parameters a view and descriptors of 205
    numbers.
    """

    system = "workman"

    def _network(self, view):
        config, common = self.config, {"dtype": self.dtype_policy}
        trunk = AlexNet(
            config.width_multiplier,
            config.poolings,
            groups=2,
            dropout=config.backbone_dropout,
            start="he_normal",
            name="alexnet",
            **common,
        )
        fc8 = keras.layers.Dense(
            config.descriptor_size,
            kernel_initializer="he_normal",
            name="fc8",
            **common,
        )
        return keras.Sequential([trunk, fc8], name=view)
