"""TransGeo, stage 1: a vision transformer for each view (2022)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.vit.token_heads import TokenHeads
from mgtl_tf.layers.vit.vision_transformer import VisionTransformer
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
            block={
                "heads": config.heads,
                "mlp_ratio": config.mlp_ratio,
                "dropout": config.backbone_dropout,
                "residual_init": config.residual_init,
            },
            name=name,
            dtype=self.dtype_policy,
        )

    @property
    def copied_parts(self):
        """The views' networks, and of the aerial images' what guides."""
        views = {"ground": self.ground, "satellite": self.satellite}
        parts = {name: network.weights for name, network in views.items()}
        return {**parts, "guide": self.satellite.layers[0].weights}

    @property
    def inherited_parts(self):
        """None: it is the first stage."""
        return {}

    def start_from(self, source):
        """Starts both views from DeiT's weights, an .npz; see load_deit.

        Raises:
            UserError: where the file does not fit.
        """
        load_deit([v.layers for v in (self.ground, self.satellite)], source)
