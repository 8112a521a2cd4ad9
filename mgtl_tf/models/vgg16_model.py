"""What systems of one VGG-16 and one head a view have in common."""

from __future__ import annotations

from typing import Any

import keras

from mgtl_tf.layers.vgg16 import VGG16Features
from mgtl_tf.models.backbones import vgg16_arguments
from mgtl_tf.models.two_branch_model import TwoBranchModel


class VGG16Model(TwoBranchModel):
    """A view's VGG-16, then a head.

    A subclass's `_head` makes a view's layer: feature map to vectors of any
    shape.
    """

    def _backbone_arguments(self, view: str) -> dict[str, Any]:
        return vgg16_arguments(self.config)

    def _network(self, view):
        backbone = VGG16Features(
            **self._backbone_arguments(view),
            name="vgg16",
            dtype=self.dtype_policy,
        )
        return keras.Sequential([backbone, self._head(view)], name=view)

    def _vectors(self, network, images, training, first_block):
        backbone, head = network.layers
        features = backbone(images, training=training, first_block=first_block)
        return head(features, training=training)

    @property
    def backbones(self):
        """Both VGG16Features."""
        return [self.ground.layers[0], self.satellite.layers[0]]
