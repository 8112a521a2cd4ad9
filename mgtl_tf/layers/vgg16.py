"""The convolutional part of VGG-16, with SAME poolings (R2 to R4)."""

from __future__ import annotations

import functools
import itertools

import keras
from keras import ops

from mgtl_tf.layers.circular_padding import CircularPadding
from mgtl_tf.layers.color_scaling import bgr_less
from mgtl_tf.layers.configured_layer import (
    ConfiguredLayer,
    build_chain,
    has_state,
    run_chain,
)

BLOCKS = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
"""Output channels of every convolution, block by block."""
_ALL_BLOCKS = 5

CAFFE_MEANS_BGR = (103.939, 116.779, 123.68)
"""What VGG-16's weights expect subtracted, grey levels (R2)."""

# Short trainings must not outlast the memory of the moving averages: at 0.9
# they are within 1 % of the last batches' statistics after 44 steps.
NORMALIZATION_MOMENTUM = 0.9


@keras.saving.register_keras_serializable("mgtl_tf")
class VGG16Features(ConfiguredLayer):
    """RGB image to VGG-16's last feature map.

    Thirteen 3x3 SAME convolutions with ReLU in five blocks, each of the
    first `poolings` blocks closed by a 2x2 SAME pooling, so that odd sizes
    round up: 112 x 616 becomes 4 x 20 (R1). Keras' own VGG16 pools with
    VALID and would give 3 x 19.

    Args:
        width_multiplier: scales the channels of every convolution.
        poolings: how many of the five poolings are kept.
        normalization: "none" (the paper) or "batch", after each convolution.
        dropout: rate after the convolutions of blocks 4 and 5 while training.
            Use 0 with batch normalisation: what dropout adds to the variance
            of the next layer's input is missing when it is off.
        rematerialize: whether a training step keeps only the input of each
            block without dropout (1 to 3, or all where it is off) and
            computes its inside again for the gradient: up to a third more
            work, a fraction of the memory. Not with batch normalisation,
            whose averages would move twice.
        blocks: how many of the five blocks there are.
        circular: whether columns are azimuths: convolutions then see the
            first column beside the last one, instead of zeros.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3]; with `first_block` = N what the
            first N blocks gave, [B, h', w', C'] of `block_shape`.
        training: whether dropout acts and batch statistics are used, but in
            blocks that `freeze` fixed.
        first_block: how many blocks were computed already.
        last_block: after how many blocks to stop.

    Output:
        [B, h, w, C], h = ceil(H / 2^poolings), C = 512 * width_multiplier;
        with `last_block`, or fewer `blocks`, the shape of `block_shape`.
    """

    def __init__(
        self,
        width_multiplier=1.0,
        poolings=5,
        normalization="none",
        dropout=0.2,
        rematerialize=False,
        blocks=_ALL_BLOCKS,
        circular=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.width_multiplier = width_multiplier
        self.poolings = poolings
        self.normalization = normalization
        self.dropout = dropout
        self.rematerialize = rematerialize
        self.blocks = blocks
        self.circular = circular

    def build(self, input_shape):
        stages = []
        for index, widths in enumerate(BLOCKS[: self.blocks]):
            for place, width in enumerate(widths):
                name = f"block{index + 1}_conv{place + 1}"
                stages += self._convolution(name, width, index >= 3)
            if index < self.poolings:
                stages.append(self._pooling(f"block{index + 1}_pool"))
        build_chain(stages, input_shape)
        self.stages = stages
        self.frozen_blocks = 0

    def _pooling(self, name):
        return keras.layers.MaxPooling2D(
            padding="same", name=name, dtype=self.dtype_policy
        )

    def _convolution(self, name, width, droppable):
        common = {"dtype": self.dtype_policy}
        if self.circular:
            yield CircularPadding(name=name + "_pad", **common)
        yield keras.layers.Conv2D(
            scaled_width(width, self.width_multiplier),
            3,
            padding="valid" if self.circular else "same",
            name=name,
            **common,
        )
        if self.normalization == "batch":
            yield keras.layers.BatchNormalization(
                momentum=NORMALIZATION_MOMENTUM, name=name + "_bn", **common
            )
        yield keras.layers.ReLU(name=name + "_relu", **common)
        if droppable and self.dropout:
            yield keras.layers.Dropout(
                self.dropout, name=name + "_drop", **common
            )

    @property
    def convolutions(self):
        """The Conv2D layers, first to last; thirteen in five blocks."""
        return [s for s in self.stages if isinstance(s, keras.layers.Conv2D)]

    def block_weights(self, blocks=_ALL_BLOCKS):
        """The weights of the first blocks, without states of dropout."""
        return [
            weight
            for block in self._blocks()[:blocks]
            for stage in block
            for weight in stage.weights
        ]

    def freeze(self, blocks):
        """Fixes the first blocks: not trained, computed as in evaluation.

        Their output is then a function of the image alone: no dropout acts
        in them, and batch normalisation uses the statistics that it has
        rather than those of a batch, and does not move them.
        """
        for number, block in enumerate(self._blocks()):
            for stage in block:
                stage.trainable = number >= blocks
        self.frozen_blocks = blocks

    def call(self, images, training=None, first_block=0, last_block=None):
        features = images
        if not first_block:
            features = bgr_less(images, CAFFE_MEANS_BGR, self.compute_dtype)
        blocks = self._blocks()
        for number in range(first_block, last_block or self.blocks):
            block, fixed = blocks[number], number < self.frozen_blocks
            learns = False if fixed else training
            run = functools.partial(run_chain, block)
            if self.rematerialize and learns and not any(map(has_state, block)):
                features = keras.remat(run)(features)
            else:
                features = run(features, learns)
            if fixed:
                # Or its insides would be kept for a gradient nobody takes.
                features = ops.stop_gradient(features)
        return features

    def _blocks(self):
        """The stages, block by block; names begin with `blockN_`."""
        groups = itertools.groupby(self.stages, lambda s: s.name.split("_")[0])
        return [list(stages) for _, stages in groups]

    def block_shape(self, input_shape, blocks):
        """The shape that the first blocks make of images [B, H, W, 3]."""
        height, width = input_shape[1:3]
        for _ in range(min(self.poolings, blocks)):
            height, width = -(-height // 2), -(-width // 2)
        channels = scaled_width(BLOCKS[blocks - 1][-1], self.width_multiplier)
        return (input_shape[0], height, width, channels)

    def compute_output_shape(self, input_shape):
        return self.block_shape(input_shape, self.blocks)


def scaled_width(channels, multiplier):
    """Channels times a multiplier, at least one."""
    return max(1, round(channels * multiplier))
