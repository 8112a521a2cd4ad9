"""The decoder of Toker et al.'s generator (2021): an aerial map to a view."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.trunks.generator_blocks import (
    UpBlock,
    instance_norm,
    plain_conv,
)
from mgtl_tf.layers.trunks.generator_encoder import WIDTHS
from mgtl_tf.layers.trunks.non_local_attention import NonLocalAttention
from mgtl_tf.layers.vgg16 import scaled_width

_UP_WIDTHS = (128, 64, 64)


@keras.saving.register_keras_serializable("mgtl_tf")
class StreetViewDecoder(ConfiguredLayer):
    """The maps of a GeneratorEncoder to an image of eight times their size.

    Three doublings, each followed by an instance norm, each of what came so
    far and the encoder's map of the same size; before the second all cells
    attend to all. Then a 3 x 3 convolution, without spectral norm, and tanh.
    1,209,540 parameters.

    Args:
        width_multiplier: scales the channels of every layer but the last.

    Call arguments:
        features: [B, h, w, C], C of the encoder's last level.
        third: the same shape, the encoder's map after three halvings.
        second, first: [B, 2 h, 2 w, C / 2] and [B, 4 h, 4 w, C / 4], those
            after two halvings and after one.
        training: of the spectral norms.

    Output:
        RGB, -1..1, [B, 8 h, 8 w, 3].
    """

    def __init__(self, width_multiplier=1.0, **kwargs):
        super().__init__(**kwargs)
        self.width_multiplier = width_multiplier

    def build(self, input_shape):
        dtype, shape = self.dtype_policy, tuple(input_shape)
        widths = [scaled_width(w, self.width_multiplier) for w in _UP_WIDTHS]
        skips = [scaled_width(w, self.width_multiplier) for w in WIDTHS[:0:-1]]
        self.ups, self.norms = [], []
        for width, skip in zip(widths, skips, strict=True):
            joined = (*shape[:3], shape[3] + skip)
            number = len(skips) - len(self.ups)
            if number == 2:
                self.attention = NonLocalAttention(
                    name="attention", dtype=dtype
                )
                self.attention.build(joined)
            self.ups.append(UpBlock(width, name=f"up{number}", dtype=dtype))
            self.ups[-1].build(joined)
            shape = self.ups[-1].compute_output_shape(joined)
            self.norms.append(instance_norm(f"up{number}_norm", dtype))
            self.norms[-1].build(shape)
        self.last = plain_conv(3, 3, "last", dtype, padding="same")
        self.last.build(shape)

    def call(self, features, third, second, first, training=None):
        skips = third, second, first
        for place, (up, norm) in enumerate(
            zip(self.ups, self.norms, strict=True)
        ):
            features = ops.concatenate([features, skips[place]], axis=-1)
            if place == 1:
                features = self.attention(features, training=training)
            features = norm(up(features, training=training))
        return ops.tanh(self.last(features))

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, 8 * height, 8 * width, 3)
