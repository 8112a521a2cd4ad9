"""TransGeo, stage 1: a vision transformer for each view (2022)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.vit.token_heads import TokenHeads
from mgtl_tf.layers.vit.vision_transformer import VisionTransformer
from mgtl_tf.models.backbones import transformer_arguments
from mgtl_tf.models.transgeo.pretrained_deit import load_deit
from mgtl_tf.models.two_branch_model import TwoBranchModel


@keras.saving.register_keras_serializable("mgtl_tf")
class DistilledTransformers(TwoBranchModel):
    """A DeiT-S a view, whose two heads' mean is the descriptor.

    With 112 x 616 panoramas, of which 7 x 38 patches are seen, and aerial
    images of 256 x 256 44,922,784 parameters and descriptors of 1,000
    numbers. No polar transform: positions are learnt.

    Reference: Zhu, Shah, Chen, "TransGeo: Transformer Is All You Need for
    Cross-View Image Geo-Localization", CVPR 2022.
    """

    system = "transgeo"

    def _network(self, view):
        heads = TokenHeads(
            self.config.descriptor_size, name="heads", dtype=self.dtype_policy
        )
        return keras.Sequential([self._trunk("trunk"), heads], name=view)

    def _trunk(self, name):
        config = self.config
        return VisionTransformer(
            config.channels,
            config.vit_blocks,
            config.patch_size,
            transformer_arguments(config),
            config.position_deviation,
            name=name,
            dtype=self.dtype_policy,
        )

    @property
    def copied_parts(self):
        """The views' networks, and of the aerial images' what guides."""
        return self._parts_with(self.satellite.layers[0])

    @property
    def inherited_parts(self):
        """None: it is the first stage."""
        return {}

    def _parts_with(self, guide):
        """Both views' networks and a guide, as one stage gives to the next."""
        parts = {
            "ground": self.ground,
            "satellite": self.satellite,
            "guide": guide,
        }
        return {name: part.weights for name, part in parts.items()}

    def start_from(self, source):
        """Starts both views from DeiT's weights, an .npz; see load_deit.

        Raises:
            UserError: where the file does not fit.
        """
        load_deit([v.layers for v in (self.ground, self.satellite)], source)
