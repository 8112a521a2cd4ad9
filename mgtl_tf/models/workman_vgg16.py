"""Workman-style regression with VGG-16."""

from __future__ import annotations

import keras

from mgtl_tf.models.regression_model import RegressionModel
from mgtl_tf.models.vgg16_model import VGG16Model


@keras.saving.register_keras_serializable("mgtl_tf")
class GroundMapRegression(RegressionModel, VGG16Model):
    """Regression of what VGG-16's last pooling gives, place by place.

    In place of AlexNet trained on Places, whose weights Keras does not have:
    ImageNet's VGG-16, of which there are. Its last map is what they compare
    it with in their earlier study (CVPRW 2015) as "pool5".

    With 112 x 616 images 14,714,688 parameters a view and descriptors of
    4 x 20 x 512 = 40,960 numbers.
    """

    system = "workman_vgg16"

    def _head(self, view):
        return keras.layers.Flatten(name="pool5", dtype=self.dtype_policy)
