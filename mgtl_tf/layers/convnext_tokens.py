"""Azimuth tokens of ConvNeXt, in place of VGG-16's (Eq. 1)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.trunks.convnext import ConvNeXtFeatures


@keras.saving.register_keras_serializable("mgtl_tf")
class ConvNeXtTokens(ConfiguredLayer):
    """FC(LN(mean over height of ConvNeXt(I))), as MIFE makes them of VGG-16.

    The LayerNorm is ConvNeXt's last; the map to C is one for both views.

    Args:
        channels: C, or None: no map.
        trunk: dict of arguments of ConvNeXtFeatures.
        shared: whether both views have one trunk and norm.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].
        view: "ground" or "satellite".
        training: whether it is a training step.
        first_block: 0; no block is computed before.

    Output:
        tokens [B, T, C], T the width of the feature map.
    """

    def __init__(self, channels=384, trunk=None, shared=False, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.trunk = dict(trunk or {})
        self.shared = shared
        self.ground, self.ground_norm = self._branch("ground")
        branch = self.ground, self.ground_norm
        self.satellite, self.satellite_norm = (
            branch if shared else self._branch("satellite")
        )

    def _branch(self, view):
        common = {"dtype": self.dtype_policy}
        features = ConvNeXtFeatures(**self.trunk, name=view, **common)
        norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name=f"{view}_norm", **common
        )
        return features, norm

    @property
    def branches(self):
        """(trunk, norm) of each view, or of both together."""
        ground = self.ground, self.ground_norm
        satellite = self.satellite, self.satellite_norm
        return [ground] if self.shared else [ground, satellite]

    def build(self, input_shape):
        for features, norm in self.branches:
            features.build(input_shape)
            batch, _, width, channels = features.compute_output_shape(
                input_shape
            )
            norm.build((batch, width, channels))
        self.compact = None
        if self.channels is not None:
            self.compact = keras.layers.Dense(
                self.channels, name="compact", dtype=self.dtype_policy
            )
            self.compact.build((batch, width, channels))

    def call(self, images, view="ground", training=None, first_block=0):
        features, norm = self.branches[view == "satellite" and not self.shared]
        means = ops.mean(features(images, training=training), axis=1)
        tokens = norm(means)  # [B, h, w, C'] -> [B, T, C']
        return tokens if self.compact is None else self.compact(tokens)

    def compute_output_shape(self, input_shape):
        batch, _, width, channels = self.ground.compute_output_shape(
            input_shape
        )
        return (batch, width, self.channels or channels)
