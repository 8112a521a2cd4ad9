"""What systems without knowledge between the views have in common."""

from __future__ import annotations

from keras import ops

from mgtl_tf.config import ModelConfig
from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.models.configured_model import ConfiguredModel


class TwoViewModel(ConfiguredModel):
    """A network a view; the views meet in the retrieval loss alone.

    A system says in `_network(view)` which layer, not yet built, makes
    vectors of any shape of a view's images; this class makes unit
    descriptors of them.

    Args:
        config: `ModelConfig`.

    Call arguments:
        inputs: {"ground": [B, H, W, 3], "satellite": [B, H, W, 3]}, RGB
            0..255, the satellite images polar-transformed.
        training: whether dropout acts and batch statistics are used.

    Output:
        {"ground": [B, D], "satellite": [B, D]} unit vectors, float32, and
        "generated", "targets": empty lists, as there is no such loss.
    """

    def __init__(self, config: ModelConfig, **kwargs):
        super().__init__(config, **kwargs)
        self.networks = {view: self._network(view) for view in VIEWS}

    def build(self, input_shape):
        """Builds both networks; no image is needed."""
        for view in VIEWS:
            self.networks[view].build(input_shape[view])

    @property
    def parts(self):
        """Names to layers, for counts by part."""
        return {view: [self.networks[view]] for view in VIEWS}

    def encode_ground(self, images):
        """Descriptors of panoramas: [B, H, W, 3] RGB 0..255 to [B, D]."""
        return self._encode(images, "ground", training=False)

    def encode_satellite(self, images):
        """Descriptors of polar-transformed satellite images, [B, D]."""
        return self._encode(images, "satellite", training=False)

    def call(self, inputs, training=None):
        """Both descriptors."""
        views = {v: self._encode(inputs[v], v, training) for v in VIEWS}
        return {**views, "generated": [], "targets": []}

    def _encode(self, images, view, training):
        return unit_vectors(self.networks[view](images, training=training))


def unit_vectors(vectors):
    """[B, ...] flattened to [B, D], unit length, float32 (R11)."""
    size = 1
    for length in vectors.shape[1:]:
        size *= length
    flat = ops.cast(ops.reshape(vectors, (-1, size)), "float32")
    norm = ops.sqrt(ops.sum(ops.square(flat), axis=-1, keepdims=True))
    return flat / ops.maximum(norm, 1e-12)
