"""A temperature of InfoNCE that is learnt with the network."""

from __future__ import annotations

import math

import keras
from keras import ops

from mgtl_tf import losses
from mgtl_tf.layers.configured_layer import weights_besides


class LearnedTemperature:
    """What a system adds to its model, whose methods come after these.

    With `learned_temperature` above 0 the model holds ln(1 / temperature), a
    number that the loss alone reads.
    """

    log_scale = None

    def build(self, input_shape):
        """The network's weights, then the temperature's."""
        super().build(input_shape)
        if start := self.config.learned_temperature:
            self.log_scale = self.add_weight(
                name="log_scale",
                shape=(),
                initializer=keras.initializers.Constant(-math.log(start)),
            )

    @property
    def loss_weights(self):
        """The logarithm of the temperature's inverse, where it is learnt."""
        return [] if self.log_scale is None else [self.log_scale]

    @property
    def descriptor_weights(self):
        """All but the temperature."""
        return weights_besides(self.weights, self.loss_weights)

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
