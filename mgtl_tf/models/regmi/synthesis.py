"""Regmi and Shah (2019), the first stage: aerial images of panoramas."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.adversarial_losses import (
    absolute_difference,
    deception_loss,
    discriminator_loss,
)
from mgtl_tf.layers.trunks.aerial_generator import AerialGenerator
from mgtl_tf.layers.trunks.patch_discriminator import PatchDiscriminator
from mgtl_tf.models.cross_view_model import CrossViewModel
from mgtl_tf.models.variable_groups import VariableGroup
from mgtl_tf.models.vectors import unit_vectors

# Of deceiving the discriminator, of the image and of its label map.
_WEIGHTS = (1.0, 100.0, 1.0)
_CELLS = 8


@keras.saving.register_keras_serializable("mgtl_tf")
class AerialSynthesis(CrossViewModel):
    """A generator of aerial images and label maps, and its discriminator.

    A step updates the discriminator, which sees aerial images alone, then the
    generator, by what the discriminator is not deceived by, 100 times the
    absolute difference from the aerial image, and that from its label map,
    which follows the image as three more channels (`LabelledSource`). The
    authors' label maps are those of a network for segmentation.

    What the next stage takes from it is the generator. Its descriptors, 8 x 8
    mean colours of the synthesised and of the real image less those of the
    whole image, are ours: they show while it trains whether images are those
    of their places. With 512 x 512 aerial images the generator has 30,825,670
    parameters, the discriminator 6,962,369.
    """

    system = "regmi"

    def __init__(self, config=None, **kwargs):
        super().__init__(config, **kwargs)
        self.generator = generator_of(self.config, self.dtype_policy)
        self.discriminator = PatchDiscriminator(
            self.config.width_multiplier,
            4,
            "batch",
            name="discriminator",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        self.generator.build(input_shape["ground"])
        self.discriminator.build((*input_shape["satellite"][:3], 3))

    @property
    def parts(self):
        """Names to layers that descriptors need, for counts by part."""
        return {"ground generator": [self.generator]}

    @property
    def copied_parts(self):
        """The generator."""
        return {"generator": self.generator.weights}

    @property
    def inherited_parts(self):
        """None."""
        return {}

    @property
    def descriptor_weights(self):
        """The generator's, but for those of label maps."""
        return self.generator.image_weights

    @property
    def groups(self):
        """Discriminator, generator, in the authors' order."""
        return tuple(
            VariableGroup(name, part.trainable_variables, loss)
            for name, part, loss in (
                ("discriminator", self.discriminator, self._discriminator_loss),
                ("generator", self.generator, self._generator_loss),
            )
        )

    def shared_outputs(self, views):
        """What is made of the panoramas: [B, S, S, 6], -1..1."""
        made = self.generator(views["ground"], training=True)
        return {"made": ops.cast(made, "float32")}

    def _discriminator_loss(self, views, shared, compare):
        made = self._judged(ops.stop_gradient(shared["made"]))
        real = self._judged(_signed(views["satellite"]))
        return discriminator_loss(real, made), {}

    def _generator_loss(self, views, shared, compare):
        made, wanted = shared["made"], _signed(views["satellite"])
        terms = {
            "deception": deception_loss(self._judged(made)),
            "image": absolute_difference(made[..., :3], wanted[..., :3]),
            "labels": absolute_difference(made[..., 3:], wanted[..., 3:]),
        }
        total = sum(
            w * t for w, t in zip(_WEIGHTS, terms.values(), strict=True)
        )
        return total, {
            "ground": _mean_colours(made),
            "satellite": _mean_colours(wanted),
            **{f"{name}_loss": term for name, term in terms.items()},
        }

    def _judged(self, images):
        """The discriminator's logits of images, [B, S, S, 3 or more]."""
        images = ops.cast(images[..., :3], self.compute_dtype)
        return self.discriminator(images, training=True)

    def _forward(self, images, view, training, first_block=0):
        if view == "ground":
            made = self.generator.image_alone(images)
        else:
            made = _signed(images)
        return _mean_colours(made), [], []


def generator_of(config, dtype):
    """A config's generator, not built."""
    return AerialGenerator(
        config.satellite_size[0],
        config.width_multiplier,
        config.synthesis_blocks,
        name="generator",
        dtype=dtype,
    )


def _signed(images):
    """RGB 0..255 to -1..1."""
    return ops.cast(images, "float32") / 127.5 - 1.0


def _mean_colours(images):
    """Unit vectors [B, 8 * 8 * 3] of images [B, S, S, 3 or more]."""
    images = ops.cast(images[..., :3], "float32")
    cell = images.shape[1] // _CELLS
    cells = ops.average_pool(images, cell, cell, "valid")
    return unit_vectors(cells - ops.mean(cells, axis=(1, 2), keepdims=True))
