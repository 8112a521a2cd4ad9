"""The discriminator of Toker et al. (2021): is every patch of a real image?"""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.trunks.generator_blocks import plain_conv, spectral_conv
from mgtl_tf.layers.trunks.non_local_attention import NonLocalAttention
from mgtl_tf.layers.vgg16 import scaled_width

_WIDTHS = (64, 128, 256, 512)
_STRIDES = (2, 2, 2, 1)
_KERNEL = 4
_SLOPE = 0.1


@keras.saving.register_keras_serializable("mgtl_tf")
class PatchDiscriminator(ConfiguredLayer):
    """Image to one number for every patch of 70 x 70 pixels.

    Five 4 x 4 convolutions, zeros around them, the first three of stride 2,
    with LeakyReLU of slope 0.1 between; all but the first and the last have
    spectral norm 1. After the second all cells attend to all. 2,788,290
    parameters for images of six channels.

    Args:
        width_multiplier: scales the channels of every layer but the last.

    Call arguments:
        images: [B, H, W, C], of 24 x 24 pixels or more.
        training: of the spectral norms.

    Output:
        logits, [B, h, w, 1]: above 0 where a patch looks real.
    """

    def __init__(self, width_multiplier=1.0, **kwargs):
        super().__init__(**kwargs)
        self.width_multiplier = width_multiplier

    def build(self, input_shape):
        widths = [scaled_width(w, self.width_multiplier) for w in _WIDTHS]
        steps = zip((*widths, 1), (*_STRIDES, 1), strict=True)
        self.convolutions, shape = [], tuple(input_shape)
        for place, (width, stride) in enumerate(steps):
            inner = 0 < place < len(widths)
            options = {"reflect": False} if inner else {}
            make = spectral_conv if inner else plain_conv
            convolution = make(
                width,
                _KERNEL,
                f"conv{place + 1}",
                self.dtype_policy,
                strides=stride,
                **options,
            )
            padded = _padded_shape(shape)
            convolution.build(padded)
            shape = convolution.compute_output_shape(padded)
            self.convolutions.append(convolution)
            if place == 1:
                self.attention = NonLocalAttention(
                    name="attention", dtype=self.dtype_policy
                )
                self.attention.build(shape)

    def call(self, images, training=None):
        features = images
        last = len(self.convolutions) - 1
        for place, convolution in enumerate(self.convolutions):
            features = ops.pad(features, [(0, 0), (1, 1), (1, 1), (0, 0)])
            if 0 < place < last:
                features = convolution(features, training=training)
            else:
                features = convolution(features)
            if place < last:
                features = ops.leaky_relu(features, _SLOPE)
            if place == 1:
                features = self.attention(features, training=training)
        return features

    def compute_output_shape(self, input_shape):
        shape = tuple(input_shape)
        for convolution in self.convolutions:
            shape = convolution.compute_output_shape(_padded_shape(shape))
        return shape


def _padded_shape(shape):
    batch, height, width, channels = shape
    return (batch, height + 2, width + 2, channels)
