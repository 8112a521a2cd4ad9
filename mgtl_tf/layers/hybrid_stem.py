"""The ResNet stem of L2LTR: image to a map at a sixteenth of its size."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.residual_unit import (
    EXPANSION,
    GROUPS,
    ResidualUnit,
    group_norm,
)
from mgtl_tf.layers.standardized_conv import StandardizedConv2D

WIDTH = 64
_MEAN = (0.485, 0.456, 0.406)
_SPREAD = (0.229, 0.224, 0.225)


@keras.saving.register_keras_serializable("mgtl_tf")
class HybridStem(keras.layers.Layer):
    """RGB image to features: 7x7/2, pooling 3x3/2, three residual stages.

    The stem of R50+ViT-B/16 (Dosovitskiy et al. 2021): weight-standardised
    convolutions, GroupNorm, strides 1, 2, 2 of the stages. SAME padding, so
    odd sizes round up.

    Args:
        units: residual units of each stage; (3, 4, 9) is the published one.
        width_multiplier: scales the 64 channels that all widths follow from.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].

    Output:
        [B, ceil(H / 16), ceil(W / 16), 1024 * width_multiplier] of three
        stages; every stage more or less halves once more or less.
    """

    def __init__(self, units=(3, 4, 9), width_multiplier=1.0, **kwargs):
        super().__init__(**kwargs)
        self.units = tuple(units)
        self.width_multiplier = width_multiplier

    @property
    def _width(self):
        return max(2, round(WIDTH * self.width_multiplier))

    def build(self, input_shape):
        """Makes root and stages for [B, H, W, 3]."""
        self.root = StandardizedConv2D(
            self._width, 7, 2, name="conv_root", dtype=self.dtype_policy
        )
        self.root.build(input_shape)
        shape = self.root.compute_output_shape(tuple(input_shape))
        self.root_norm = group_norm(self._width, GROUPS, "gn_root")
        self.root_norm.build(shape)
        self.pool = keras.layers.MaxPooling2D(
            3, 2, padding="same", name="pool", dtype=self.dtype_policy
        )
        shape = self.pool.compute_output_shape(shape)
        self.stages = []
        for stage, count in enumerate(self.units):
            for place in range(count):
                stride = 2 if stage and not place else 1
                unit = ResidualUnit(
                    self._width * 2**stage,
                    stride,
                    name=f"block{stage + 1}_unit{place + 1}",
                    dtype=self.dtype_policy,
                )
                unit.build(shape)
                shape = unit.compute_output_shape(shape)
                self.stages.append(unit)

    def call(self, images):
        """The feature map."""
        # In float32: bfloat16 resolves 0..255 only to whole grey levels.
        scaled = ops.cast(images, "float32") / 255.0
        mean = ops.convert_to_tensor(_MEAN, "float32")
        spread = ops.convert_to_tensor(_SPREAD, "float32")
        features = ops.cast((scaled - mean) / spread, self.compute_dtype)
        features = self.root_norm(self.root(features))
        features = ops.relu(ops.cast(features, self.compute_dtype))
        features = self.pool(features)
        for unit in self.stages:
            features = unit(features)
        return features

    def compute_output_shape(self, input_shape):
        """Halved by root, pooling and every stage after the first."""
        batch, height, width = input_shape[:3]
        for _ in range(1 + len(self.units)):
            height, width = -(-height // 2), -(-width // 2)
        channels = EXPANSION * self._width * 2 ** (len(self.units) - 1)
        return (batch, height, width, channels)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "width_multiplier": self.width_multiplier,
        }
