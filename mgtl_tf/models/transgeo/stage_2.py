"""TransGeo, stage 2: aerial images are cropped where nobody looks (2022)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.bilinear_resize import BilinearResize
from mgtl_tf.layers.vit.token_selection import TokenSelection
from mgtl_tf.models.transgeo.pretrained_deit import resized_positions
from mgtl_tf.models.transgeo.stage_1 import DistilledTransformers


@keras.saving.register_keras_serializable("mgtl_tf")
class CroppedTransformers(DistilledTransformers):
    """Stage 1's networks, the aerial one on the patches that it attends to.

    A guide, stage 1's aerial network, which is fixed, sees the aerial image in
    the size of that stage. Of the larger image the patches go on to which its
    class and distillation token attend most in the last block: 256 of the 400
    of 320 x 320 pixels, as many as in stage 1. The cropping follows the
    content, so it is not uniform; no pixels are resized by it.

    The authors store the attention of every image once; here the guide runs
    with the network, so that an export needs the image alone, and it sees the
    image resized from this stage's size. With 320 x 320 pixels 44,978,080
    parameters beside the guide's 21,689,472.
    """

    follows = "a run of transgeo_stage=whole"

    def __init__(self, config=None, **kwargs):
        super().__init__(config, **kwargs)
        self.guide = self._trunk("guide")
        self.smaller = BilinearResize(
            self.config.guide_size, name="smaller", dtype="float32"
        )

    def build(self, input_shape):
        super().build(input_shape)
        height, width = self.config.guide_size
        self.guide.build((None, height, width, 3))
        self.guide.trainable = False
        self.selection = TokenSelection(
            self.config.kept_patches,
            self.satellite.layers[0].grid,
            name="selection",
            dtype=self.dtype_policy,
        )

    @property
    def parts(self):
        """Names to layers that descriptors need, for counts by part."""
        return {**super().parts, "satellite guide": [self.guide]}

    @property
    def copied_parts(self):
        """None that another stage takes over."""
        return {}

    @property
    def inherited_parts(self):
        """Both views' networks, and the guide."""
        return self._parts_with(self.guide)

    def inherited_value(self, variable, value):
        """Positions of aerial patches, interpolated to this stage's grid."""
        trunk, grid = self.satellite.layers[0], self.guide.grid
        ours = variable is trunk.placed.positions
        if not ours or value.shape != self.guide.placed.positions.shape:
            return value
        return resized_positions(value, grid, trunk.grid)

    def _vectors(self, network, images, training, first_block):
        if network is not self.satellite:
            return super()._vectors(network, images, training, first_block)
        trunk, heads = network.layers
        seen = self.smaller(ops.cast(images, "float32"))
        attention = ops.stop_gradient(self.guide.attention(seen))
        tokens = self.selection(trunk.tokens(images, training), attention)
        return heads(trunk.encoded(tokens, training))
