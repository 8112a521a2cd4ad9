"""What every system is: a Keras model of ground and satellite images."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
from keras import ops

from mgtl_tf import losses
from mgtl_tf.config import ModelConfig
from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.models.pretrained_vgg16 import load_backbone_weights

_OF_KERAS = ("name", "trainable", "dtype")


class CrossViewModel(keras.Model):
    """Base of all systems: config, encoders, and Eq. 9 for `fit`.

    `compile(optimizer)` and `fit` train with `losses.total_loss` at the
    paper's settings, on a tf.data.Dataset (or dict of arrays) of {"ground",
    "satellite"} and, optionally, "negatives", bool [B, B]: True where a pair
    may be a negative (R15).

    A subclass names its `system` and implements `_encode`, `call`, `build`
    and `compute_output_shape`.

    Args:
        config: `ModelConfig`; by default it is made of `kwargs`.
        **kwargs: fields of `ModelConfig`, and `name`, `trainable`, `dtype` of
            keras.Model.
    """

    system = "mgtl"

    def __init__(self, config: ModelConfig | None = None, **kwargs):
        own = {k: kwargs.pop(k) for k in _OF_KERAS if k in kwargs}
        super().__init__(**own)
        # JSON, and so a saved model, has lists where the config has tuples.
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in kwargs.items()
        }
        self.config = config or ModelConfig(**{"system": self.system, **fields})

    def start_from(self, source):
        """Loads VGG-16's weights into the `backbones`, both VGG16Features.

        Args:
            source: as of load_backbone_weights.

        Raises:
            UserError: where they cannot be read or do not fit.
        """
        load_backbone_weights(self, source)

    def encode_ground(self, images):
        """Descriptors of panoramas: [B, H, W, 3] RGB 0..255 to [B, D]."""
        return self._encode(images, "ground")

    def encode_satellite(self, images):
        """Descriptors of polar-transformed satellite images, [B, D]."""
        return self._encode(images, "satellite")

    def compute_loss(
        self,
        x=None,
        y=None,
        y_pred=None,
        sample_weight=None,
        training=True,
    ):
        """Eq. 9 of a batch `x` and the model's outputs `y_pred`."""
        return losses.total_loss(y_pred, x.get("negatives"))

    def compute_output_spec(self, *args, **kwargs):
        """Traces `call`: descriptors are float32 under every policy."""
        return super(keras.layers.Layer, self).compute_output_spec(
            *args, **kwargs
        )

    def get_config(self):
        """The constructor's arguments, all of them plain values."""
        return {**super().get_config(), **dataclasses.asdict(self.config)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model of `get_config`'s value."""
        return cls(**config)


class TwoBranchModel(CrossViewModel):
    """One network a view; the views meet in the retrieval loss alone.

    A subclass's `_network` makes a layer of one view: images to vectors of
    any shape, which become unit descriptors.

    Call arguments:
        inputs: {"ground": [B, H, W, 3], "satellite": [B, H, W, 3]}, RGB
            0..255, the satellite images polar-transformed.
        training: whether dropout acts and batch statistics are used.

    Output:
        {"ground": [B, D], "satellite": [B, D]} unit vectors, float32, and
        "generated", "targets": empty lists, as there is no such loss.
    """

    def __init__(self, config: ModelConfig | None = None, **kwargs):
        super().__init__(config, **kwargs)
        self.ground, self.satellite = (
            self._network(name=view, dtype=self.dtype_policy) for view in VIEWS
        )

    def build(self, input_shape):
        """Builds both networks; no image is needed."""
        self.ground.build(input_shape["ground"])
        self.satellite.build(input_shape["satellite"])

    @property
    def parts(self):
        """Names to layers, for counts by part."""
        return {"ground": [self.ground], "satellite": [self.satellite]}

    def call(self, inputs, training=None):
        """Both descriptors."""
        return {
            "ground": self._encode(inputs["ground"], "ground", training),
            "satellite": self._encode(
                inputs["satellite"], "satellite", training
            ),
            "generated": [],
            "targets": [],
        }

    def _encode(self, images, view, training=False):
        network = self.ground if view == "ground" else self.satellite
        return unit_vectors(network(images, training=training))

    def compute_output_shape(self, input_shape):
        """[B, D] of either view."""
        ground = self.ground.compute_output_shape(input_shape["ground"])
        shape = (ground[0], math.prod(ground[1:]))
        return {
            "ground": shape,
            "satellite": shape,
            "generated": [],
            "targets": [],
        }


def vgg16_arguments(config: ModelConfig) -> dict[str, Any]:
    """A config's VGG-16 as arguments of VGG16Features."""
    return {
        "width_multiplier": config.width_multiplier,
        "poolings": config.poolings,
        "normalization": config.backbone_normalization,
        "dropout": config.backbone_dropout,
        "rematerialize": config.rematerialize,
    }


def unit_vectors(vectors):
    """[B, ...] flattened to [B, D], unit length, float32 (R11)."""
    size = math.prod(vectors.shape[1:])
    flat = ops.cast(ops.reshape(vectors, (-1, size)), "float32")
    norm = ops.sqrt(ops.sum(ops.square(flat), axis=-1, keepdims=True))
    return flat / ops.maximum(norm, 1e-12)
