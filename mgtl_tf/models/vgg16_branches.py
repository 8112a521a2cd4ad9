"""What a system does with the VGG-16 of its views, where it has them."""

from __future__ import annotations

from mgtl_tf.config import ModelConfig
from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.models.pretrained import load_vgg16
from mgtl_tf.utils.errors import UserError


class VGG16Branches:
    """Weights that a system starts with, hands on, or keeps fixed.

    Where both views have a VGG-16 (`backbones`), its first blocks can be
    fixed, and every call takes what they gave in place of images. A system
    without VGG-16 may have other parts that it hands on.
    """

    config: ModelConfig

    @property
    def backbones(self):
        """The VGG16Features of both views; none in systems without."""
        return []

    def start_from(self, source):
        """Starts both branches from VGG-16's weights; see load_vgg16.

        Raises:
            UserError: where they cannot be read or do not fit, or for a
                system without VGG-16.
        """
        if source != "none" and not self.backbones:
            raise UserError(
                f"backbone_weights={source}: {self.config.system} has no"
                " VGG-16; give backbone_weights=none"
            )
        load_vgg16(self.backbones, source)

    @property
    def copied_parts(self):
        """Names of parts that other networks can start with, to weights."""
        return {
            f"{view} VGG-16": backbone.block_weights()
            for view, backbone in zip(VIEWS, self.backbones, strict=False)
        }

    @property
    def inherited_parts(self):
        """The parts that it starts with where another run is given."""
        return self.copied_parts

    def inherited_value(self, variable, value):
        """What a variable starts with where another run's of its name is
        `value`: that, unless a system says otherwise."""
        return value

    def freeze_blocks(self, blocks):
        """Fixes the first blocks of both VGG-16; see VGG16Features.freeze.

        To be called before an optimizer is built.

        Raises:
            UserError: for a system without VGG-16.
        """
        if blocks and not self.backbones:
            raise UserError(
                f"freeze_blocks={blocks}: {self.config.system} has no VGG-16;"
                " give freeze_blocks=0"
            )
        for backbone in self.backbones:
            if blocks > backbone.blocks:
                raise UserError(
                    f"freeze_blocks={blocks}: {self.config.system} has"
                    f" {backbone.blocks} blocks of VGG-16"
                )
            backbone.freeze(blocks)

    def frozen_features(self, inputs):
        """What the fixed blocks make of {"ground", "satellite"} images.

        Raises:
            UserError: for a system whose blocks give other maps than those
                of the same weights in other systems.
        """
        if not self.config.caches_features:
            raise UserError(
                f"feature_cache: must be empty for system={self.config.system},"
                " whose aerial branch pads in its own way"
            )
        return {
            view: backbone(
                inputs[view], training=False, last_block=backbone.frozen_blocks
            )
            for view, backbone in zip(VIEWS, self.backbones, strict=True)
        }
