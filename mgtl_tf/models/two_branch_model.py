"""What systems of one network a view are."""

from __future__ import annotations

from mgtl_tf.config import ModelConfig
from mgtl_tf.models.cross_view_model import CrossViewModel
from mgtl_tf.models.vectors import flat_vectors, unit_vectors


class TwoBranchModel(CrossViewModel):
    """One network a view; the views meet in the retrieval loss alone.

    A subclass's `_network` makes a view's layer: images to vectors of any
    shape, which become descriptors: unit vectors, unless the scorer takes
    others.
    """

    def __init__(self, config: ModelConfig | None = None, **kwargs):
        super().__init__(config, **kwargs)
        self.ground = self._network("ground")
        self.satellite = self._network("satellite")

    def build(self, input_shape):
        self.ground.build(input_shape["ground"])
        self.satellite.build(input_shape["satellite"])

    @property
    def parts(self):
        """Names to layers that descriptors need, for counts by part."""
        return {"ground": [self.ground], "satellite": [self.satellite]}

    def _forward(self, images, view, training, first_block=0):
        network = self.ground if view == "ground" else self.satellite
        found = self._vectors(network, images, training, first_block)
        made = unit_vectors if self.scorer.unit else flat_vectors
        return made(found), [], []

    def _vectors(self, network, images, training, first_block):
        """A view's vectors; a system with VGG-16 begins after any block."""
        return network(images, training=training)
