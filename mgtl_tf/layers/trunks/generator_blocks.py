"""The blocks of generators and discriminators; those of Toker et al. (2021)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer, build_chain
from mgtl_tf.layers.trunks.spectral_conv import SpectralConv2D
from mgtl_tf.layers.vgg16 import NORMALIZATION_MOMENTUM

_SPREAD = 0.02


def spectral_conv(filters, side, name, dtype, **options):
    """A SpectralConv2D with mirrored borders, started as `plain_conv`."""
    options = {"reflect": True, **options}
    return plain_conv(filters, side, name, dtype, SpectralConv2D, **options)


def plain_conv(filters, side, name, dtype, kind=keras.layers.Conv2D, **options):
    """A convolution of a generator or discriminator, started as N(0, 0.02)."""
    return kind(
        filters,
        side,
        **options,
        kernel_initializer=keras.initializers.RandomNormal(stddev=_SPREAD),
        name=name,
        dtype=dtype,
    )


def instance_norm(name, dtype):
    """Every channel of every image normalised by itself, then scaled."""
    return keras.layers.GroupNormalization(
        groups=-1, epsilon=1e-5, name=name, dtype=dtype
    )


def batch_norm(name, dtype):
    """Batch normalisation, its scale started as N(1, 0.02)."""
    return keras.layers.BatchNormalization(
        momentum=NORMALIZATION_MOMENTUM,
        epsilon=1e-5,
        gamma_initializer=keras.initializers.RandomNormal(1.0, _SPREAD),
        name=name,
        dtype=dtype,
    )


@keras.saving.register_keras_serializable("mgtl_tf")
class DownBlock(ConfiguredLayer):
    """To half the size: y = pool(C2(ReLU(C1(ReLU(x))))) + pool(S(x)).

    C1 and C2 are 3 x 3, S is 1 x 1, pool the mean of 2 x 2 cells.

    Args:
        filters: C'.

    Call arguments:
        features: [B, h, w, C].
        training: of the spectral norms.

    Output:
        [B, floor(h / 2), floor(w / 2), C'].
    """

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        dtype = self.dtype_policy
        self.conv1 = spectral_conv(filters, 3, "conv1", dtype)
        self.conv2 = spectral_conv(filters, 3, "conv2", dtype)
        self.shortcut = spectral_conv(filters, 1, "shortcut", dtype)

    def build(self, input_shape):
        build_chain([self.conv1, self.conv2], input_shape)
        self.shortcut.build(input_shape)

    def call(self, features, training=None):
        found = self.conv1(ops.relu(features), training=training)
        found = self.conv2(ops.relu(found), training=training)
        found = found + self.shortcut(features, training=training)
        return ops.average_pool(found, 2, 2, "valid")

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, height // 2, width // 2, self.filters)


@keras.saving.register_keras_serializable("mgtl_tf")
class InstanceResidual(ConfiguredLayer):
    """y = N2(C2(ReLU(N1(C1(x))))) + x: 3 x 3, instance norms, as many channels.

    Call arguments:
        features: [B, h, w, C].
        training: of the spectral norms.

    Output:
        [B, h, w, C].
    """

    def build(self, input_shape):
        channels, dtype = input_shape[-1], self.dtype_policy
        self.conv1 = spectral_conv(channels, 3, "conv1", dtype)
        self.norm1 = instance_norm("norm1", dtype)
        self.conv2 = spectral_conv(channels, 3, "conv2", dtype)
        self.norm2 = instance_norm("norm2", dtype)
        stages = [self.conv1, self.norm1, self.conv2, self.norm2]
        build_chain(stages, input_shape)

    def call(self, features, training=None):
        found = self.norm1(self.conv1(features, training=training))
        found = self.conv2(ops.relu(found), training=training)
        return self.norm2(found) + features


@keras.saving.register_keras_serializable("mgtl_tf")
class UpBlock(ConfiguredLayer):
    """To twice the size: y = C2(ReLU(N2(C1(U(ReLU(N1(x))))))) + S(U(x)).

    C1 and C2 are 3 x 3, S is 1 x 1, N1 and N2 instance norms, U repeats every
    cell twice in both directions.

    Args:
        filters: C'.

    Call arguments:
        features: [B, h, w, C].
        training: of the spectral norms.

    Output:
        [B, 2 h, 2 w, C'].
    """

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        dtype = self.dtype_policy
        self.norm1 = instance_norm("norm1", dtype)
        self.twice = keras.layers.UpSampling2D(name="twice", dtype=dtype)
        self.conv1 = spectral_conv(filters, 3, "conv1", dtype)
        self.norm2 = instance_norm("norm2", dtype)
        self.conv2 = spectral_conv(filters, 3, "conv2", dtype)
        self.shortcut = spectral_conv(filters, 1, "shortcut", dtype)

    def build(self, input_shape):
        stages = [self.norm1, self.twice, self.conv1, self.norm2, self.conv2]
        build_chain(stages, input_shape)
        self.shortcut.build(input_shape)

    def call(self, features, training=None):
        found = self.twice(ops.relu(self.norm1(features)))
        found = self.norm2(self.conv1(found, training=training))
        found = self.conv2(ops.relu(found), training=training)
        return found + self.shortcut(self.twice(features), training=training)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, 2 * height, 2 * width, self.filters)
