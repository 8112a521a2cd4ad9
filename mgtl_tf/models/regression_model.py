"""Aerial features that learn to be those of a ground network at rest."""

from __future__ import annotations

from keras import ops

from mgtl_tf.models.two_branch_model import TwoBranchModel
from mgtl_tf.utils.errors import UserError


class RegressionModel(TwoBranchModel):
    """A ground network that is never trained, and an aerial one like it.

    After Workman, Souvenir and Jacobs (ICCV 2015), of whose training no code
    is public: the aerial network starts with the ground network's weights and
    learns to give, for an aerial image, what the ground network gives for the
    panorama; there are no negatives. Descriptors are of unit length, and so
    is what is regressed.
    """

    loss_name = "regression_loss"

    def build(self, input_shape):
        super().build(input_shape)
        self._fix_ground()

    def freeze_blocks(self, blocks):
        """Fixes blocks of the aerial network too; ground is fixed whole."""
        super().freeze_blocks(blocks)
        self._fix_ground()

    def start_from(self, source):
        """Starts both networks alike, from `source` where it fits them.

        Raises:
            UserError: where `source` does not fit, or images of the two views
                leave maps of different sizes.
        """
        super().start_from(source)
        if self.ground.output_shape != self.satellite.output_shape or [
            w.shape for w in self.ground.weights
        ] != [w.shape for w in self.satellite.weights]:
            raise UserError(
                f"satellite_size={self.config.satellite_size}: must leave a"
                " map of the size that image_size leaves, with"
                f" system={self.system}, whose networks start alike"
            )
        self.satellite.set_weights(self.ground.get_weights())

    def _fix_ground(self):
        # By weight: a layer that is fixed already passes nothing on.
        for weight in self.ground.weights:
            weight.trainable = False

    def _forward(self, images, view, training, first_block=0):
        # What is not trained computes as in evaluation.
        learns = training if view == "satellite" else False
        return super()._forward(images, view, learns, first_block)

    def retrieval_loss(
        self, ground, satellite, negatives=None, default=None, **options
    ):
        """The mean of |satellite - ground|^2 over true pairs alone."""
        apart = satellite - ops.stop_gradient(ground)
        return ops.mean(ops.sum(ops.square(apart), axis=-1))
