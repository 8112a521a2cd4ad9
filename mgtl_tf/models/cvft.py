"""CVFT: cross-view feature transport (Shi et al. 2020)."""

from __future__ import annotations

import keras
import numpy as np

from mgtl_tf.layers.bilinear_resize import BilinearResize
from mgtl_tf.layers.feature_transport import FeatureTransport
from mgtl_tf.models.vgg16_model import VGG16Model


@keras.saving.register_keras_serializable("mgtl_tf")
class CrossViewFeatureTransport(VGG16Model):
    """CVFT: cells of the panorama are carried to those of the aerial image.

    A view's VGG-16 and a 3x3 convolution of stride 2 with ReLU; the ground
    view's cells are then resized to the grid of the aerial image, whose cells
    stay where they are, and transported.

    Published: 112 x 616 panoramas, 256 x 256 aerial images, VGG-16 to conv5_3
    with its first three blocks frozen, 8 x 8 cells of 64 channels: 30,285,633
    parameters, descriptors of 4,096 numbers.
    """

    system = "cvft"

    def _head(self, view):
        common = {"dtype": self.dtype_policy}
        layers = [
            keras.layers.Conv2D(
                self.config.channels,
                3,
                strides=2,
                padding="same",
                activation="relu",
                name="reduce",
                **common,
            )
        ]
        if view == "ground":
            layers += [
                BilinearResize(self._grid, half_pixel_centres=False, **common),
                FeatureTransport(
                    self.config.transport_rounds,
                    self.config.transport_sharpness,
                    name="transport",
                    **common,
                ),
            ]
        return keras.Sequential(layers, name="head")

    @property
    def _grid(self):
        """Rows and columns of the aerial image's cells."""
        pixels = 2 ** (self.config.poolings + 1)
        size = self.config.view_size("satellite")
        return tuple(-(-side // pixels) for side in size)

    def start_from(self, source):
        """As of every system; then a dead response of the transport is drawn
        anew, by what the network makes of a picture of noise."""
        super().start_from(source)
        backbone, head = self.ground.layers
        random = np.random.default_rng(0)
        image = random.uniform(0, 255, (1, *self.config.view_size("ground"), 3))
        cells = backbone(image.astype("float32"), training=False)
        *before, transport = head.layers
        for layer in before:
            cells = layer(cells)
        transport.wake(cells)

    @property
    def parts(self):
        """Names to layers, for counts by part."""
        backbone, head = self.ground.layers
        *before, transport = head.layers
        return {
            "ground": [backbone, *before],
            "satellite": [self.satellite],
            "transport": [transport],
        }
