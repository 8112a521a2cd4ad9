"""Vo and Hays (2016): two AlexNets, distances, and the angle between views."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.layers.trunks.alexnet import AlexNet
from mgtl_tf.layers.turned_crop import TurnedCrop
from mgtl_tf.models.two_branch_model import TwoBranchModel
from mgtl_tf.models.vectors import flat_vectors

_MEANS = (100.0, 100.0, 100.0)
_ANGLE_UNITS = 100
_LARGEST_SCALE = 1.1


@keras.saving.register_keras_serializable("mgtl_tf")
class DistanceBasedLogistic(TwoBranchModel):
    """A view's AlexNet to fc8, whose outputs are compared by their distance.

    While training, crops are at random places, and aerial images are turned
    by a random angle and scaled by up to a tenth; what fc7 gives for both
    views predicts sine and cosine of the angle. They are the outputs'
    "generated" and "targets", so that Eq. 8 is the angle's loss and
    `generative_weight` its weight (1 here, as the authors weigh both alike).
    Descriptors are not normalised.

    With an offset head aerial crops stay in the middle: positions in them
    are of images that are not shifted.

    The authors turn by whole degrees of a range of 991, here uniformly; they
    interpolate by cubics, here bilinearly.

    With 230 x 230 panoramas and 250 x 250 aerial images, of which 224 x 224
    are read, 124,953,344 parameters, 819,502 more for the angle, and
    descriptors of 1,024 numbers.
    """

    system = "vo"

    def __init__(self, config=None, **kwargs):
        super().__init__(config, **kwargs)
        self.crops = [
            TurnedCrop(margin, name=f"{view}_crop", dtype="float32")
            for view, margin in zip(
                VIEWS, self.config.crop_margins, strict=True
            )
        ]
        self.seeds = keras.random.SeedGenerator()
        common = {"dtype": self.dtype_policy}
        self.angle = keras.Sequential(
            [
                keras.layers.Dense(
                    _ANGLE_UNITS, "relu", name="hidden", **common
                ),
                keras.layers.Dense(2, name="direction", **common),
            ],
            name="angle",
        )

    def _network(self, view):
        config, common = self.config, {"dtype": self.dtype_policy}
        plain = config.backbone_normalization == "none"
        trunk = AlexNet(
            config.width_multiplier,
            config.poolings,
            normalization=config.backbone_normalization,
            dropout=config.backbone_dropout,
            # Narrow networks would begin with next to nothing but 0.
            start="gaussian" if plain else "he_normal",
            means=_MEANS,
            name="alexnet",
            **common,
        )
        fc8 = keras.layers.Dense(
            config.descriptor_size,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            name="fc8",
            **common,
        )
        return keras.Sequential([trunk, fc8], name=view)

    def build(self, input_shape):
        for view, crop in zip(VIEWS, self.crops, strict=True):
            crop.build(input_shape[view])
        shapes = {
            view: crop.compute_output_shape(input_shape[view])
            for view, crop in zip(VIEWS, self.crops, strict=True)
        }
        super().build(shapes)
        trunk = self.ground.layers[0]
        width = trunk.compute_output_shape(shapes["ground"])[-1]
        self.angle.build((None, 2 * width))

    @property
    def parts(self):
        """Names to layers, for counts by part."""
        return {**super().parts, "angle": [self.angle]}

    def call(self, inputs, training=None, first_block=0):
        vectors, features = {}, []
        directions = None
        for view, crop in zip(VIEWS, self.crops, strict=True):
            images = inputs[view]
            if training:
                placements = self._placements(view, ops.shape(images)[0])
                images = crop(images, placements)
                directions = placements[:, 0]
            else:
                images = crop.cropped(images)
                directions = ops.zeros_like(images[:, 0, 0, 0])
            trunk, fc8 = getattr(self, view).layers
            features.append(trunk(images, training=training))
            vectors[view] = flat_vectors(fc8(features[-1]))
        found = self.angle(ops.concatenate(features, axis=-1))
        directions = ops.cast(directions, "float32")
        wanted = [ops.sin(directions), ops.cos(directions)]
        return {
            **vectors,
            "generated": [ops.cast(found, "float32")],
            "targets": [ops.stack(wanted, axis=-1)],
        }

    def _placements(self, view, batch):
        """Random ones, [B, 4].

        Panoramas are neither turned nor scaled. Aerial images are not even
        shifted with an offset head, whose offsets would not follow.
        """
        margin = self.config.crop_margins[VIEWS.index(view)]
        if view == "satellite" and self.config.offset_head:
            margin = 0
        drawn = keras.random.uniform((batch, 4), -1.0, 1.0, seed=self.seeds)
        angle = np.radians(self.config.largest_turn)
        turned = view == "satellite" and angle > 0
        grown = np.log(_LARGEST_SCALE)
        largest = [angle * turned, grown * turned, margin, margin]
        return drawn * ops.convert_to_tensor(largest, "float32")

    def _vectors(self, network, images, training, first_block):
        view = VIEWS[0] if network is self.ground else VIEWS[1]
        crop = self.crops[VIEWS.index(view)]
        return network(crop.cropped(images), training=training)
