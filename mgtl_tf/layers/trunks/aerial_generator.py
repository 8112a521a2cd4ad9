"""Regmi and Borji's X-Fork generator (2018): a panorama to an aerial image."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.bilinear_resize import BilinearResize
from mgtl_tf.layers.configured_layer import (
    ConfiguredLayer,
    build_chain,
    run_chain,
    weights_besides,
)
from mgtl_tf.layers.trunks.canny_edges import CannyEdges
from mgtl_tf.layers.trunks.generator_blocks import batch_norm, plain_conv
from mgtl_tf.layers.vgg16 import scaled_width

WIDTHS = (64, 128, 256, 512, 512, 512, 512)
_UP_WIDTHS = (512, 512, 512, 256, 128)
_TAIL_WIDTHS = (64, 3)
_KERNEL = 4
_SLOPE = 0.2


@keras.saving.register_keras_serializable("mgtl_tf")
class AerialGenerator(ConfiguredLayer):
    """Panorama to an aerial image and its coloured label map.

    The panorama is resized to side / 2 x 2 side pixels; with its edges
    (CannyEdges) as a fourth channel it is halved `depth` times, to a map
    that is four times as wide as high. Its cells, row after row, are then a
    square, which is doubled as often as it was halved; the last two doublings
    there are twice, for the image and for the label map. Halvings and
    doublings are 4 x 4 convolutions of stride 2 from N(0, 0.02), with leaky
    ReLU (0.2) before the former, ReLU before the latter and batch
    normalisation after all but the first and the last. 30,825,670 parameters.

    The published code normalises by the batch's own statistics and drops out
    at evaluation too; here images do not depend on one another or on chance.

    Args:
        side: S of the aerial image, pixels; a multiple of 2^(depth + 1).
        width_multiplier: scales the channels of every layer but the last.
        depth: how many halvings there are, the first of seven; of the five
            doublings before the fork the last depth - 2.
        dropout: rate after the first three of those five.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].
        training: whether dropout acts and batch statistics are used.

    Output:
        [B, S, S, 6], -1..1: RGB of the image, then of the label map.
    """

    def __init__(
        self, side=512, width_multiplier=1.0, depth=7, dropout=0.5, **kwargs
    ):
        # For CannyEdges, which bfloat16 would mislead.
        super().__init__(autocast=False, **kwargs)
        self.side = side
        self.width_multiplier = width_multiplier
        self.depth = depth
        self.dropout = dropout

    def build(self, input_shape):
        size = (self.side // 2, 2 * self.side)
        self.resizing = BilinearResize(size, name="resizing", dtype="float32")
        self.edges = CannyEdges(name="edges", dtype="float32")
        self.halving = []
        for place, width in enumerate(WIDTHS[: self.depth]):
            self.halving += self._stage(f"down{place + 1}", width, place > 0)
        shape = build_chain(self.halving, (None, *size, 4))
        self.doubling = []
        first = len(_UP_WIDTHS) - (self.depth - 2)
        for place, width in enumerate(_UP_WIDTHS[first:], first):
            self.doubling += self._stage(f"up{place + 1}", width, up=True)
            if place < 3:
                self.doubling.append(
                    keras.layers.Dropout(
                        self.dropout,
                        name=f"up{place + 1}_drop",
                        dtype=self.dtype_policy,
                    )
                )
        square = (None, 2 * shape[1], 2 * shape[1], shape[3])
        shape = build_chain(self.doubling, square)
        self.image_tail, self.label_tail = map(self._tail, ("image", "labels"))
        for tail in (self.image_tail, self.label_tail):
            build_chain(tail, shape)

    def _tail(self, name):
        inner, last = _TAIL_WIDTHS
        return [
            *self._stage(f"{name}1", inner, up=True),
            *self._stage(f"{name}2", last, normalized=False, up=True),
        ]

    def _stage(self, name, width, normalized=True, up=False):
        """Layers: activation, convolution, normalisation."""
        common = {"dtype": self.dtype_policy}
        kind = keras.layers.Conv2DTranspose if up else keras.layers.Conv2D
        if width != _TAIL_WIDTHS[-1]:
            width = scaled_width(width, self.width_multiplier)
        layers = [
            plain_conv(
                width,
                _KERNEL,
                name,
                self.dtype_policy,
                kind,
                strides=2,
                padding="same",
            )
        ]
        if up:
            layers.insert(0, keras.layers.ReLU(name=f"{name}_relu", **common))
        elif normalized:
            relu = keras.layers.LeakyReLU(_SLOPE, name=f"{name}_relu", **common)
            layers.insert(0, relu)
        if normalized:
            layers.append(batch_norm(f"{name}_bn", self.dtype_policy))
        return layers

    @property
    def image_weights(self):
        """The weights without those that only label maps need."""
        labels = [w for layer in self.label_tail for w in layer.weights]
        return weights_besides(self.weights, labels)

    def call(self, images, training=None):
        features = self._shared(images, training)
        made = [
            run_chain(tail, features, training)
            for tail in (self.image_tail, self.label_tail)
        ]
        return ops.tanh(ops.concatenate(made, axis=-1))

    def image_alone(self, images):
        """What `call` gives at evaluation, without the label map.

        Args:
            images: as of `call`.

        Returns:
            [B, S, S, 3], -1..1.
        """
        features = self._shared(images, False)
        return ops.tanh(run_chain(self.image_tail, features, False))

    def _shared(self, images, training):
        """What both tails read, [B, S / 4, S / 4, C]."""
        seen = self.resizing(ops.cast(images, "float32"))
        pixels = [seen / 127.5 - 1.0, 2.0 * self.edges(seen) - 1.0]
        features = ops.cast(ops.concatenate(pixels, -1), self.compute_dtype)
        features = run_chain(self.halving, features, training)
        _, rows, _, channels = features.shape
        # [B, h, 4 h, C] to [B, 2 h, 2 h, C]
        features = ops.reshape(features, (-1, 2 * rows, 2 * rows, channels))
        return run_chain(self.doubling, features, training)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.side, self.side, 2 * _TAIL_WIDTHS[-1])
