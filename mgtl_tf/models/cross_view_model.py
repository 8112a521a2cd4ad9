"""What every system is: a Keras model of ground and satellite images."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from mgtl_tf import losses
from mgtl_tf.config import ModelConfig
from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.layers.offset_head import OffsetHead
from mgtl_tf.models.vgg16_branches import VGG16Branches

_OF_KERAS = ("name", "trainable", "dtype")


class CrossViewModel(VGG16Branches, keras.Model):
    """Base of all systems: config, encoders, and Eq. 9 for `fit`.

    `compile(optimizer)` and `fit` train with `losses.total_loss` at the
    paper's settings, on a tf.data.Dataset (or dict of arrays) of {"ground",
    "satellite"} and, optionally, "negatives", bool [B, B]: True where a pair
    may be a negative (R15), and, with `offset_head`, "offsets", [B, 2].

    A subclass names its `system`, builds its layers and has `_forward`: from
    images of a view to its descriptors, and the lists of tokens and of
    generated knowledge that Eq. 8 compares, both empty without CMI. One that
    is not trained with the config's loss has a `retrieval_loss` of its own,
    and its `loss_name`.

    Args:
        config: `ModelConfig`; by default it is made of `kwargs`.
        **kwargs: fields of `ModelConfig`, and `name`, `trainable`, `dtype` of
            keras.Model.

    Call arguments:
        inputs: {"ground": [B, H, W, 3], "satellite": [B, H, W, 3]}, RGB
            0..255, of `config.input_shapes`; the satellite images
            polar-transformed, or as `config.satellite_form` says.
        training: whether dropout acts and batch statistics are used.
        first_block: N: the inputs are `frozen_features` of the first N blocks
            of VGG-16 rather than images.

    Output:
        {"ground": [B, D], "satellite": [B, D]} float32, unit vectors unless
        the `scorer` takes others, and
        "generated", "targets": lists of equal length, knowledge [B, T, C]
        and the tokens it should equal (Eq. 8).
    """

    system = "mgtl"
    follows = ""
    """The run whose parts it cannot do without; empty: none."""
    loss_name = ""
    """What a `retrieval_loss` of its own is logged as; empty: the config's."""

    def __init__(self, config: ModelConfig | None = None, **kwargs):
        own = {k: kwargs.pop(k) for k in _OF_KERAS if k in kwargs}
        super().__init__(**own)
        # JSON, and so a saved model, has lists where the config has tuples.
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in kwargs.items()
        }
        self.config = config or ModelConfig(**{"system": self.system, **fields})
        self.offset_head = None
        if self.config.offset_head:
            self.offset_head = OffsetHead(
                name="offset_head", dtype=self.dtype_policy
            )

    def build_offset_head(self):
        """Makes the weights of the offset head, where there is one.

        For descriptors of the built networks; what builds or loads a model
        calls it.
        """
        if self.offset_head is not None and not self.offset_head.built:
            shapes = self.compute_output_shape(self.config.input_shapes)
            self.offset_head.build(*(shapes[view] for view in VIEWS))

    def build_from_config(self, config):
        super().build_from_config(config)
        self.build_offset_head()

    @property
    def scorer(self):
        """How its descriptors are compared; see `utils.scorers`."""
        return self.config.scorer

    @property
    def groups(self):
        """The `VariableGroup`s that a step updates, in its order.

        Without any, all variables are updated at once by Eq. 9. With them the
        system has `shared_outputs`: of the images of both views, the tensors
        that the groups' losses share.
        """
        return ()

    @property
    def descriptor_weights(self):
        """The weights that descriptors and offsets depend on, and an export
        holds."""
        return self.weights

    @property
    def loss_weights(self):
        """The weights that the retrieval loss alone reads."""
        return []

    @property
    def offset_weights(self):
        """Those of the offset head alone; none without."""
        return self.offset_head.weights if self.offset_head else []

    def encode_ground(self, images, first_block=0):
        """Descriptors of panoramas: [B, H, W, 3] RGB 0..255 to [B, D]."""
        return self._forward(images, "ground", False, first_block)[0]

    def encode_satellite(self, images, first_block=0):
        """Descriptors of satellite network inputs, [B, H, W, 3] to [B, D]."""
        return self._forward(images, "satellite", False, first_block)[0]

    def encode_pairs(self, ground, satellite, first_block=0):
        """Descriptors [B, D] of both views, as they are evaluated."""
        return (
            self.encode_ground(ground, first_block),
            self.encode_satellite(satellite, first_block),
        )

    def predict_offsets(self, ground, satellite):
        """Where panoramas stand in aerial images, if these are theirs.

        Args:
            ground, satellite: descriptors, [B, D] and [B, D'].

        Returns:
            float32 [B, 2], d0 and d1 in half sides; see OffsetHead.

        Raises:
            ValueError: for a system without `offset_head`.
        """
        if self.offset_head is None:
            raise ValueError(f"{self.config.system}: has no offset_head")
        return ops.cast(self.offset_head(ground, satellite), "float32")

    def call(self, inputs, training=None, first_block=0):
        ground, ground_tokens, satellite_knowledge = self._forward(
            inputs["ground"], "ground", training, first_block
        )
        satellite, satellite_tokens, ground_knowledge = self._forward(
            inputs["satellite"], "satellite", training, first_block
        )
        return {
            "ground": ground,
            "satellite": satellite,
            "generated": ground_knowledge + satellite_knowledge,
            "targets": ground_tokens + satellite_tokens,
        }

    def compute_loss(
        self,
        x=None,
        y=None,
        y_pred=None,
        sample_weight=None,
        training=True,
    ):
        """Eq. 9 of a batch `x` and the model's outputs `y_pred`.

        Raises:
            ValueError: for a system of several `groups`.
        """
        if self.groups:
            raise ValueError(
                f"{self.config.system}: `fit` has one loss and one optimizer,"
                " and this form several; train it by experiments.train"
            )
        loss = losses.total_loss(
            y_pred,
            x.get("negatives"),
            retrieval_loss=self.retrieval_loss,
            scorer=self.scorer,
        )
        if self.offset_head is not None and "offsets" in x:
            found = self.predict_offsets(*(y_pred[view] for view in VIEWS))
            loss += losses.offset_loss(found, x["offsets"])
        return loss

    def retrieval_loss(
        self,
        ground,
        satellite,
        negatives=None,
        default=losses.soft_margin_triplet_loss,
        **options,
    ):
        """What is minimised of a batch's descriptors; by default the config's.

        Train step, gradient caching and `fit` all take it from here. With
        micro-batches or replicas only some rows of the descriptors have
        gradients, so it must be a sum over rows or pairs of rows; weights of
        its own are `loss_weights`.

        Args:
            ground, satellite: descriptors [B, D] of the whole batch.
            negatives: bool [B, B], True where a pair may be a negative.
            default: the config's loss, called with these and `options`.

        Returns:
            float32 scalar.
        """
        return default(ground, satellite, negatives=negatives, **options)

    def compute_output_spec(self, *args, **kwargs):
        """Traces `call`: descriptors are float32 under every policy."""
        return super(keras.layers.Layer, self).compute_output_spec(
            *args, **kwargs
        )

    def compute_output_shape(self, input_shape):
        images = {view: keras.KerasTensor(input_shape[view]) for view in VIEWS}
        outputs = self.compute_output_spec(images)
        return keras.tree.map_structure(lambda output: output.shape, outputs)

    def get_config(self):
        return {**super().get_config(), **dataclasses.asdict(self.config)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)
