"""CMI: one view's tokens to the other view's knowledge (Eq. 3, R7)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.configured_layer import ConfiguredLayer, build_chain
from mgtl_tf.layers.perceptron import Perceptron

NAIVE_KERNEL_SIZE = 3


@keras.saving.register_keras_serializable("mgtl_tf")
class CrossModalInteraction(ConfiguredLayer):
    """One generator of CMI: G2S where it reads ground tokens, else S2G.

    L_S = f_G2S(F_G), L_G = f_S2G(F_S) (Eq. 3): an encoder and a decoder,
    each of two maps with GELU between (section 2.3). Deterministic: the
    paper is inspired by a VAE, yet samples nothing (R7). One view in, one
    view out, so a gallery never needs to see a query (R12).

    Args:
        ratio: hidden width, in multiples of C.
        local: whether the maps are 1-D convolutions over three neighbouring
            azimuths in place of fully-connected ones ("Naive", Table 4).

    Call arguments:
        tokens: normalised tokens of one view, [B, T, C].

    Output:
        knowledge of the other view, [B, T, C].
    """

    def __init__(self, ratio=4, local=False, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio
        self.local = local
        kernel_size = NAIVE_KERNEL_SIZE if local else 1
        self.encoder, self.decoder = (
            Perceptron(ratio, kernel_size, name=name, dtype=self.dtype_policy)
            for name in ("encoder", "decoder")
        )

    def build(self, input_shape):
        build_chain([self.encoder, self.decoder], input_shape)

    def call(self, tokens):
        return self.decoder(self.encoder(tokens))
