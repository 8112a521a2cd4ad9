"""Toker et al. (2021): "Coming Down to Earth", retrieval and synthesis."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.adversarial_losses import (
    absolute_difference,
    deception_loss,
    discriminator_loss,
)
from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.layers.spatial_maps import SpatialMaps
from mgtl_tf.layers.trunks.generator_encoder import GeneratorEncoder
from mgtl_tf.layers.trunks.patch_discriminator import PatchDiscriminator
from mgtl_tf.layers.trunks.resnet34 import ResNet34Features
from mgtl_tf.layers.trunks.street_view_decoder import StreetViewDecoder
from mgtl_tf.models.two_branch_model import TwoBranchModel
from mgtl_tf.models.variable_groups import VariableGroup
from mgtl_tf.models.vectors import unit_vectors


@keras.saving.register_keras_serializable("mgtl_tf")
class ComingDownToEarth(TwoBranchModel):
    """Panoramas by ResNet-34, aerial images by a generator's encoder.

    Both maps go through spatial maps whose salience is the maximum over
    channels. With 112 x 616 images 35,087,888 parameters and descriptors of
    8 x 256 = 2,048 numbers; "Toker retrieval-only", trained by the retrieval
    loss alone.

    With `generator` the encoder also has a decoder, which makes a street view
    of the polar aerial image, and a discriminator, which sees both: 39,085,718
    parameters while training. A step updates the discriminator, then what
    makes descriptors of the maps (the encoder's output is a constant to it),
    then the generator, by the weighted sum of the retrieval loss, of what the
    discriminator is not deceived by, and of the absolute difference from the
    panorama. Descriptors need neither decoder nor discriminator.

    The authors' retrieval loss keeps ever fewer of the hardest pairs from
    epoch 21 on; here it is the config's throughout.
    """

    system = "toker"

    def __init__(self, config=None, **kwargs):
        super().__init__(config, **kwargs)
        if self.config.generator:
            width = self.config.width_multiplier
            common = {"dtype": self.dtype_policy}
            self.decoder = StreetViewDecoder(width, name="decoder", **common)
            self.discriminator = PatchDiscriminator(
                width, name="discriminator", **common
            )

    def _network(self, view):
        config, common = self.config, {"dtype": self.dtype_policy}
        if view == "ground":
            trunk = ResNet34Features(
                config.width_multiplier,
                config.ground_blocks,
                name="resnet34",
                **common,
            )
        else:
            trunk = GeneratorEncoder(
                config.width_multiplier,
                config.residual_blocks,
                name="encoder",
                **common,
            )
        maps = SpatialMaps(config.attention_maps, "max", name="maps", **common)
        return keras.Sequential([trunk, maps], name=view)

    def build(self, input_shape):
        super().build(input_shape)
        if self.config.generator:
            images = input_shape["satellite"]
            encoder, _ = self.satellite.layers
            self.decoder.build(encoder.compute_output_shape(images))
            self.discriminator.build((*images[:3], 2 * images[3]))

    @property
    def descriptor_weights(self):
        """Without the decoder's and the discriminator's."""
        networks = self.ground.weights + self.satellite.weights
        return networks + self.offset_weights

    @property
    def groups(self):
        """Discriminator, retrieval, generator, in the authors' order."""
        if not self.config.generator:
            return ()
        encoder, maps = self.satellite.layers
        generator = encoder.trainable_variables
        retrieval = self.ground.trainable_variables + maps.trainable_variables
        if self.offset_head is not None:
            retrieval += self.offset_head.trainable_variables
        return (
            VariableGroup(
                "discriminator",
                self.discriminator.trainable_variables,
                self._discriminator_loss,
            ),
            VariableGroup("retrieval", retrieval, self._matching_loss),
            VariableGroup(
                "generator",
                generator + self.decoder.trainable_variables,
                self._generator_loss,
            ),
        )

    def shared_outputs(self, views):
        """The aerial map [B, h, w, C] and the street view made of it."""
        encoder, _ = self.satellite.layers
        levels = encoder.levels(views["satellite"], training=True)
        first, second, third, features = levels
        made = self.decoder(features, third, second, first, training=True)
        return {"map": features, "street_view": ops.cast(made, "float32")}

    def _discriminator_loss(self, views, shared, compare):
        made = self._judged(views, ops.stop_gradient(shared["street_view"]))
        real = self._judged(views, _signed(views["ground"]))
        return discriminator_loss(real, made), {}

    def _matching_loss(self, views, shared, compare):
        found = self._descriptors(views, ops.stop_gradient(shared["map"]))
        return compare(*found), dict(zip(VIEWS, found, strict=True))

    def _generator_loss(self, views, shared, compare):
        made = shared["street_view"]
        ground, satellite = self._descriptors(views, shared["map"])
        terms = {
            "matching": compare(ops.stop_gradient(ground), satellite),
            "deception": deception_loss(self._judged(views, made)),
            "image": absolute_difference(made, _signed(views["ground"])),
        }
        weights = self.config.generator_loss_weights
        total = sum(w * t for w, t in zip(weights, terms.values(), strict=True))
        return total, {f"{name}_loss": term for name, term in terms.items()}

    def _descriptors(self, views, features):
        """Those of the panoramas and of the aerial maps, [B, D] each."""
        ground = self.ground(views["ground"], training=True)
        _, maps = self.satellite.layers
        return unit_vectors(ground), unit_vectors(maps(features))

    def _judged(self, views, street_view):
        """The discriminator's logits of street views, seen beside the aerial.

        Args:
            views: RGB 0..255.
            street_view: RGB -1..1.
        """
        pair = [_signed(views["satellite"]), street_view]
        pair = ops.cast(ops.concatenate(pair, axis=-1), self.compute_dtype)
        return self.discriminator(pair, training=True)


def _signed(images):
    """RGB 0..255 to -1..1."""
    return images / 127.5 - 1.0
