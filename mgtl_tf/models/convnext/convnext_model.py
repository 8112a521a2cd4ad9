"""What systems on ConvNeXt have in common: trunk, means, norm, temperature."""

from __future__ import annotations

from typing import Any

import keras

from mgtl_tf.config import ConvNeXtConfig
from mgtl_tf.layers.region_means import RegionMeans
from mgtl_tf.layers.trunks.convnext import ConvNeXtFeatures
from mgtl_tf.layers.vgg16 import scaled_width
from mgtl_tf.models.convnext.learned_temperature import LearnedTemperature
from mgtl_tf.models.convnext.pretrained_convnext import load_convnext
from mgtl_tf.models.two_branch_model import TwoBranchModel


class ConvNeXtModel(LearnedTemperature, TwoBranchModel):
    """ConvNeXt, the means of its map, and its last LayerNorm of these.

    The norm comes after the mean, as in timm, where Keras' own ConvNeXt
    without a top has it before. With `shared_trunk` both views have one
    network; images may be of different sizes all the same.
    """

    def _network(self, view):
        means = RegionMeans(
            self.config.regions[view], name="means", dtype=self.dtype_policy
        )
        if view == "satellite" and self.config.shared_trunk:
            trunk, _, norm = self.ground.layers
        else:
            trunk, norm = self._trunk()
        return keras.Sequential([trunk, means, norm], name=view)

    def _trunk(self):
        config, common = self.config, {"dtype": self.dtype_policy}
        trunk = ConvNeXtFeatures(
            **convnext_arguments(config), name="convnext", **common
        )
        norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name="norm", **common
        )
        return trunk, norm

    def start_from(self, source):
        """Starts every network from ConvNeXt's weights; see load_convnext.

        Raises:
            UserError: where they cannot be read or do not fit.
        """
        views = [self.ground]
        if not self.config.shared_trunk:
            views.append(self.satellite)
        load_convnext([(v.layers[0], v.layers[2]) for v in views], source)

    @property
    def parts(self):
        """Names to layers that descriptors need, for counts by part."""
        if self.config.shared_trunk:
            return {"shared network": [self.ground]}
        return super().parts


def convnext_arguments(config: ConvNeXtConfig) -> dict[str, Any]:
    """A config's ConvNeXt as arguments of ConvNeXtFeatures."""
    factor = config.width_multiplier
    return {
        "depths": config.convnext_depths,
        "widths": [scaled_width(w, factor) for w in config.convnext_widths],
        "rematerialize": config.rematerialize,
        "layer_scale": config.convnext_layer_scale,
    }
