"""Workman-style regression: aerial features learn to be ground features."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.trunks.alexnet import AlexNet
from mgtl_tf.models.cross_view_model import TwoBranchModel
from mgtl_tf.utils.errors import UserError


@keras.saving.register_keras_serializable("mgtl_tf")
class GroundFeatureRegression(TwoBranchModel):
    """A ground network that is never trained, and an aerial one like it.

    After Workman, Souvenir and Jacobs (ICCV 2015), of whose training no code
    is public: the aerial network starts with the ground network's weights and
    learns to give, for an aerial image, what the ground network gives for the
    panorama; there are no negatives. Theirs is AlexNet trained on Places,
    whose weights Keras does not have: here the ground network keeps random
    ones. Descriptors are of the last layer, fc8, and of unit length, and so is
    what is regressed.

    With 224 x 224 images 57,708,109 parameters a view and descriptors of 205
    numbers.
    """

    system = "workman"
    loss_name = "regression_loss"

    def build(self, input_shape):
        super().build(input_shape)
        self.ground.trainable = False

    def _network(self, view):
        config, common = self.config, {"dtype": self.dtype_policy}
        trunk = AlexNet(
            config.width_multiplier,
            config.poolings,
            groups=2,
            dropout=config.backbone_dropout,
            start="he_normal",
            name="alexnet",
            **common,
        )
        fc8 = keras.layers.Dense(
            config.descriptor_size,
            kernel_initializer="he_normal",
            name="fc8",
            **common,
        )
        return keras.Sequential([trunk, fc8], name=view)

    def start_from(self, source):
        """Starts the aerial network with the ground network's weights.

        Raises:
            UserError: for any `source` but "none", or where images of the
                two views leave maps of different sizes.
        """
        super().start_from(source)
        sizes = [
            [tuple(w.shape) for w in network.weights]
            for network in (self.ground, self.satellite)
        ]
        if sizes[0] != sizes[1]:
            raise UserError(
                f"satellite_size={self.config.satellite_size}: must leave a"
                " map of the size that image_size leaves, with"
                " system=workman, whose networks start alike"
            )
        self.satellite.set_weights(self.ground.get_weights())

    def _vectors(self, network, images, training, first_block):
        # What is not trained computes as in evaluation.
        learns = training if network is self.satellite else False
        return network(images, training=learns)

    def retrieval_loss(
        self, ground, satellite, negatives=None, default=None, **options
    ):
        """The mean of |satellite - ground|^2 over true pairs alone."""
        apart = satellite - ops.stop_gradient(ground)
        return ops.mean(ops.sum(ops.square(apart), axis=-1))
