"""Discriminators of patches: is every one of them of a real image?"""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.trunks.generator_blocks import (
    batch_norm,
    plain_conv,
    spectral_conv,
)
from mgtl_tf.layers.trunks.non_local_attention import NonLocalAttention
from mgtl_tf.layers.vgg16 import scaled_width

_WIDTHS = (64, 128, 256, 512, 512)
_KERNEL = 4
_SLOPES = {"spectral": 0.1, "batch": 0.2}


@keras.saving.register_keras_serializable("mgtl_tf")
class PatchDiscriminator(ConfiguredLayer):
    """Image to one number for every patch of it.

    4 x 4 convolutions, zeros around them: `halvings` of stride 2, then two of
    stride 1, with LeakyReLU between. Toker et al.'s (2021): of 70 x 70 pixels
    a patch, a slope of 0.1, spectral norm 1 of all but the first and the last,
    and after the second all cells attend to all; 2,788,290 parameters for
    images of six channels. Regmi and Shah's (2019): four halvings, a slope of
    0.2, batch normalisation after all but the first and the last; 6,962,369
    for images of three.

    Args:
        width_multiplier: scales the channels of every layer but the last.
        halvings: at most 4.
        normalization: "spectral" or "batch".

    Call arguments:
        images: [B, H, W, C], of 3 x 2^halvings pixels a side or more.
        training: of the normalisation.

    Output:
        logits, [B, h, w, 1]: above 0 where a patch looks real.
    """

    def __init__(
        self,
        width_multiplier=1.0,
        halvings=3,
        normalization="spectral",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.width_multiplier = width_multiplier
        self.halvings = halvings
        self.normalization = normalization

    def build(self, input_shape):
        widths = [
            scaled_width(width, self.width_multiplier)
            for width in _WIDTHS[: self.halvings + 1]
        ]
        spectral = self.normalization == "spectral"
        self.convolutions, self.norms = [], {}
        shape = tuple(input_shape)
        for place, width in enumerate((*widths, 1)):
            inner = 0 < place < len(widths)
            options = {"reflect": False} if inner and spectral else {}
            make = spectral_conv if inner and spectral else plain_conv
            convolution = make(
                width,
                _KERNEL,
                f"conv{place + 1}",
                self.dtype_policy,
                strides=2 if place < self.halvings else 1,
                **options,
            )
            padded = _padded_shape(shape)
            convolution.build(padded)
            shape = convolution.compute_output_shape(padded)
            self.convolutions.append(convolution)
            if inner and not spectral:
                norm = batch_norm(f"conv{place + 1}_bn", self.dtype_policy)
                norm.build(shape)
                self.norms[f"{place}"] = norm
            if place == 1 and spectral:
                self.attention = NonLocalAttention(
                    name="attention", dtype=self.dtype_policy
                )
                self.attention.build(shape)

    def call(self, images, training=None):
        features = images
        spectral = self.normalization == "spectral"
        last = len(self.convolutions) - 1
        for place, convolution in enumerate(self.convolutions):
            features = ops.pad(features, [(0, 0), (1, 1), (1, 1), (0, 0)])
            if spectral and 0 < place < last:
                features = convolution(features, training=training)
            else:
                features = convolution(features)
            if norm := self.norms.get(f"{place}"):
                features = norm(features, training=training)
            if place < last:
                slope = _SLOPES[self.normalization]
                features = ops.leaky_relu(features, slope)
            if place == 1 and spectral:
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
