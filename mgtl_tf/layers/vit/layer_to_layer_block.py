"""L2LTR's block: keys come from the layer before (Yang et al. 2021)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.vit.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("mgtl_tf")
class LayerToLayerBlock(TransformerBlock):
    """A pre-norm transformer block with a key from the previous input.

    Q, V = maps of LN(x), K = map of LN'(previous x); x' = x + W_O attention;
    x'' = x' + MLP(LN(x')).

    Args: those of TransformerBlock.

    Call arguments:
        tokens: [B, T, C].
        previous: [B, T, C], the input of the block before; the first block
            takes its own input twice.
        training: whether dropout acts.

    Output:
        [B, T, C].
    """

    def build(self, input_shape):
        """Makes all for [B, T, C].

        Raises:
            ValueError: where `heads` does not divide C.
        """
        super().build(input_shape)
        self.key_norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name="key_norm", dtype=self.dtype_policy
        )
        self.key_norm.build(input_shape)

    def call(self, tokens, previous, training=None):
        own = self.norm(tokens)
        found = self.attention(own, own, self.key_norm(previous))
        return self.with_mlp(tokens + found, training)
