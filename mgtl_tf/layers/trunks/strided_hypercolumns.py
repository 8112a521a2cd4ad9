"""OriCNN's encoder: strided convolutions, the last three as hypercolumns."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.bilinear_resize import BilinearResize
from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.vgg16 import NORMALIZATION_MOMENTUM, scaled_width

WIDTHS = (64, 128, 256, 512, 512, 512, 512)
_JOINED = 3
_KERNEL = 4
_SLOPE = 0.2


@keras.saving.register_keras_serializable("mgtl_tf")
class StridedHypercolumns(ConfiguredLayer):
    """Image to the channels of its last three maps at the last one's cells.

    Seven 4x4 SAME convolutions of stride 2 from N(0, 0.02). From the second
    on, leaky ReLU (0.2) comes before each and batch normalisation after it.
    Of the last three maps, as normalised, the first two are sampled bilinearly
    at the centres of the last one's cells.

    The published code normalises by the batch's own statistics at evaluation
    too, so that there a descriptor depends on the other images; here it is by
    moving averages.

    Args:
        width_multiplier: scales the channels of every convolution.
        depth: how many of the seven convolutions there are, the first ones.

    Call arguments:
        images: [B, H, W, C], about -1 to 1.
        training: whether the batch's statistics are used.

    Output:
        [B, h, w, 1536 * width_multiplier]; a map has half the height and width
        of the one before, rounded up.
    """

    def __init__(self, width_multiplier=1.0, depth=7, **kwargs):
        super().__init__(**kwargs)
        self.width_multiplier = width_multiplier
        self.depth = depth

    def build(self, input_shape):
        self.convolutions, self.norms, shapes = [], [], [tuple(input_shape)]
        for place, width in enumerate(self._widths()):
            convolution = self._convolution(f"conv{place + 1}", width)
            convolution.build(shapes[-1])
            self.convolutions.append(convolution)
            shapes.append(convolution.compute_output_shape(shapes[-1]))
            if place:
                self.norms.append(self._norm(f"conv{place + 1}_bn", shapes[-1]))
        self.sampling = BilinearResize(
            shapes[-1][1:3], name="sampling", dtype=self.dtype_policy
        )

    def _widths(self):
        return [
            scaled_width(width, self.width_multiplier)
            for width in WIDTHS[: self.depth]
        ]

    def _convolution(self, name, width):
        return keras.layers.Conv2D(
            width,
            _KERNEL,
            2,
            padding="same",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.02),
            name=name,
            dtype=self.dtype_policy,
        )

    def _norm(self, name, shape):
        norm = keras.layers.BatchNormalization(
            momentum=NORMALIZATION_MOMENTUM,
            epsilon=1e-5,
            gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02),
            name=name,
            dtype=self.dtype_policy,
        )
        norm.build(shape)
        return norm

    def call(self, images, training=None):
        maps = [self.convolutions[0](images)]
        for convolution, norm in zip(
            self.convolutions[1:], self.norms, strict=True
        ):
            features = convolution(ops.leaky_relu(maps[-1], _SLOPE))
            maps.append(norm(features, training=training))
        sampled = [self.sampling(features) for features in maps[-_JOINED:]]
        return ops.concatenate(sampled, axis=-1)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        for _ in range(self.depth):
            height, width = -(-height // 2), -(-width // 2)
        return (batch, height, width, sum(self._widths()[-_JOINED:]))
