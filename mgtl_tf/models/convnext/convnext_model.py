"""What systems on ConvNeXt have in common: trunk, means, norm, temperature."""

from __future__ import annotations

import math

import keras
from keras import ops

from mgtl_tf import losses
from mgtl_tf.layers.region_means import RegionMeans
from mgtl_tf.layers.trunks.convnext import ConvNeXtFeatures
from mgtl_tf.layers.vgg16 import scaled_width
from mgtl_tf.models.convnext.pretrained_convnext import load_convnext
from mgtl_tf.models.cross_view_model import TwoBranchModel


class ConvNeXtModel(TwoBranchModel):
    """ConvNeXt, the means of its map, and its last LayerNorm of these.

    The norm comes after the mean, as in timm, where Keras' own ConvNeXt
    without a top has it before. With `shared_trunk` both views have one
    network; images may be of different sizes all the same.

    With `learned_temperature` the model holds ln(1 / temperature), a number
    that info_nce alone reads.
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.log_scale = None
        if start := self.config.learned_temperature:
            self.log_scale = self.add_weight(
                name="log_scale",
                shape=(),
                initializer=keras.initializers.Constant(-math.log(start)),
            )

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
        factor = config.width_multiplier
        trunk = ConvNeXtFeatures(
            config.convnext_depths,
            [scaled_width(w, factor) for w in config.convnext_widths],
            config.rematerialize,
            name="convnext",
            **common,
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

    @property
    def loss_weights(self):
        """The logarithm of the learnt temperature's inverse."""
        return [] if self.log_scale is None else [self.log_scale]

    @property
    def descriptor_weights(self):
        """All but the temperature."""
        spared = set(map(id, self.loss_weights))
        return [w for w in self.weights if id(w) not in spared]

    def retrieval_loss(
        self,
        ground,
        satellite,
        negatives=None,
        default=losses.info_nce_loss,
        **options,
    ):
        """The config's loss, info_nce by default, at the learnt temperature."""
        if self.log_scale is not None:
            options["temperature"] = ops.exp(-self.log_scale)
        return default(ground, satellite, negatives=negatives, **options)
