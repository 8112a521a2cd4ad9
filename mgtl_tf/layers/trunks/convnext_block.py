"""ConvNeXt's block (Liu et al., "A ConvNet for the 2020s", CVPR 2022)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.configured_layer import ConfiguredLayer

_WIDER = 4


@keras.saving.register_keras_serializable("mgtl_tf")
class ConvNeXtBlock(ConfiguredLayer):
    """x + scale * narrow(gelu(widen(norm(depthwise(x))))).

    The depthwise convolution is 7 x 7; the two maps, C to 4 C and back, are of
    a cell's channels.

    Args:
        layer_scale: where the scale, a number a channel, starts. At the
            published 1e-6 a fresh block is nearly the identity, which suits
            the published 300 epochs; from 1 a short training learns sooner.

    Call arguments:
        features: [B, h, w, C].

    Output:
        [B, h, w, C].
    """

    def __init__(self, layer_scale=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.layer_scale = layer_scale

    def build(self, input_shape):
        width, common = input_shape[-1], {"dtype": self.dtype_policy}
        # Keras' own ConvNeXt has a convolution of C groups here, which
        # TensorFlow compiles anew for every shape on processors, and which
        # neither ONNX nor TFLite take.
        self.depthwise = keras.layers.DepthwiseConv2D(
            7, padding="same", name="depthwise", **common
        )
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name="norm", **common
        )
        self.widen = keras.layers.Dense(
            _WIDER * width, activation="gelu", name="widen", **common
        )
        self.narrow = keras.layers.Dense(width, name="narrow", **common)
        for layer in (self.depthwise, self.norm, self.widen):
            layer.build(input_shape)
        self.narrow.build((*input_shape[:-1], _WIDER * width))
        self.scale = self.add_weight(
            name="scale",
            shape=(width,),
            initializer=keras.initializers.Constant(self.layer_scale),
        )

    def call(self, features):
        found = self.norm(self.depthwise(features))
        found = self.narrow(self.widen(found))
        return features + self.scale * found
