"""MIFE: each view's image to its azimuth tokens (Eq. 1, R3 to R5)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.vgg16 import VGG16Features

VIEWS = ("ground", "satellite")


@keras.saving.register_keras_serializable("mgtl_tf")
class ModalityIndependentFeatures(ConfiguredLayer):
    """Two independent VGG-16 branches and the one map that they share.

    F* = FC(mean over height of f_MIFE(I)) (Eq. 1, section 2.3). The map
    512 -> C is one for both branches: its 196,992 parameters are what Table
    2 leaves over (R5). With `channels=None` there is no map and the tokens
    are the height means themselves ("VGG16 only", R11b).

    Args:
        channels: C, or None.
        backbone: dict of arguments of VGG16Features, of both branches.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3], or what the first blocks of the
            branch gave.
        view: "ground" or "satellite": which branch.
        training: whether dropout acts and batch statistics are used.
        first_block: of the branch, as of VGG16Features.

    Output:
        tokens [B, T, C], T the width of the feature map.
    """

    def __init__(self, channels=384, backbone=None, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.backbone = dict(backbone or {})
        self.ground, self.satellite = (
            VGG16Features(**self.backbone, name=view, dtype=self.dtype_policy)
            for view in VIEWS
        )

    def build(self, input_shape):
        self.ground.build(input_shape)
        self.satellite.build(input_shape)
        self.compact = None
        if self.channels is not None:
            self.compact = keras.layers.Dense(
                self.channels, name="compact", dtype=self.dtype_policy
            )
            features = self.ground.compute_output_shape(input_shape)
            self.compact.build((features[0], features[2], features[3]))

    def call(self, images, view="ground", training=None, first_block=0):
        branch = self.ground if view == "ground" else self.satellite
        features = branch(images, training=training, first_block=first_block)
        tokens = ops.mean(features, axis=1)  # [B, h, w, C'] -> [B, T, C']
        return tokens if self.compact is None else self.compact(tokens)

    def compute_output_shape(self, input_shape):
        features = self.ground.compute_output_shape(input_shape)
        return (features[0], features[2], self.channels or features[3])
