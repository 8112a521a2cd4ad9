"""CVM-Net: cross-view matching with NetVLAD (Hu et al. 2018)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.net_vlad import NetVLAD
from mgtl_tf.layers.vgg16 import scaled_width
from mgtl_tf.models.vgg16_model import VGG16Model

_CONVOLVED = 512


@keras.saving.register_keras_serializable("mgtl_tf")
class CrossViewMatchingNetwork(VGG16Model):
    """CVM-Net-I or -II: a view's VGG-16, a head, and layers of both views.

    I: a NetVLAD a view, then one linear map. II: a 1x1 convolution a view,
    then a 3x3 and a 1x1 convolution, NetVLAD and a linear map without bias,
    all of both; ReLU and dropout follow every convolution.

    Published: 224 x 1232 panoramas, 512 x 512 aerial images, VGG-16 to
    conv5_3 with its first three blocks frozen, 64 clusters, descriptors of
    4,096 numbers: 163,782,400 parameters (I) or 166,860,480 (II). Descriptors
    are unit vectors here in II as well. Its authors' are not, although they
    train and measure with 2 - 2 x . y, which is a distance of units alone.
    """

    system = "cvm_net"

    def __init__(self, config=None, **kwargs):
        super().__init__(config, **kwargs)
        layers = [self._projection()]
        if self.config.cvm_net == "II":
            convolutions = [*self._convolution(3), *self._convolution(1)]
            layers = [*convolutions, self._net_vlad(), *layers]
        self.shared = keras.Sequential(layers, name="shared")

    def _head(self, view):
        if self.config.cvm_net == "I":
            return self._net_vlad()
        return keras.Sequential([*self._convolution(1)], name="reduced")

    def _net_vlad(self):
        return NetVLAD(
            self.config.clusters, name="net_vlad", dtype=self.dtype_policy
        )

    def _convolution(self, kernel_size):
        yield keras.layers.Conv2D(
            scaled_width(_CONVOLVED, self.config.width_multiplier),
            kernel_size,
            padding="same",
            activation="relu",
            dtype=self.dtype_policy,
        )
        yield keras.layers.Dropout(
            self.config.backbone_dropout, dtype=self.dtype_policy
        )

    def _projection(self):
        first = self.config.cvm_net == "I"
        spread = 0.005 if first else 1 / 8
        return keras.layers.Dense(
            self.config.descriptor_size,
            use_bias=first,
            kernel_initializer=keras.initializers.RandomNormal(stddev=spread),
            bias_initializer=keras.initializers.Constant(
                self.config.projection_bias
            ),
            name="projection",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        super().build(input_shape)
        *_, numbers = self.ground.compute_output_shape(input_shape["ground"])
        # Sizes of the views' feature maps differ.
        cells = (None, None) if self.config.cvm_net == "II" else ()
        self.shared.build((None, *cells, numbers))

    @property
    def parts(self):
        """Names to layers, for counts by part."""
        return {**super().parts, "shared": [self.shared]}

    def _vectors(self, network, images, training, first_block):
        found = super()._vectors(network, images, training, first_block)
        return self.shared(found, training=training)
