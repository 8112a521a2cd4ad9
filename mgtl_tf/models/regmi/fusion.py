"""Regmi and Shah (2019), the second stage and the third: joint features, fused.

Both take over networks of a run of the stage before (`init_backbone`).
"""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import weights_besides
from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.models.regmi.synthesis import generator_of
from mgtl_tf.models.regmi.two_stream import TwoStreamBaseline
from mgtl_tf.models.variable_groups import VariableGroup
from mgtl_tf.models.vectors import unit_vectors

# Of panoramas with aerial images, and of synthesised with real ones.
_WEIGHTS = (10.0, 1.0)


@keras.saving.register_keras_serializable("mgtl_tf")
class JointFeatures(TwoStreamBaseline):
    """The two streams, and a third of synthesised aerial images.

    The third has convolutions of its own and the aerial images' linear map.
    Trained is (10 L(panorama, aerial) + L(synthesised, aerial)) / 11 of the
    retrieval loss L; the generator, of a run of AerialSynthesis, is fixed.
    Descriptors are those of the two streams. 155,377,424 parameters without
    the generator.
    """

    follows = "a run of regmi_stage=synthesis"

    def __init__(self, config=None, **kwargs):
        super().__init__(config, **kwargs)
        self.generator = generator_of(self.config, self.dtype_policy)
        self.synthesised = self._pyramid("synthesised")

    def build(self, input_shape):
        super().build(input_shape)
        self.synthesised.build(input_shape["satellite"])
        self.generator.build(input_shape["ground"])
        self.generator.trainable = False

    @property
    def copied_parts(self):
        """All networks of the stage."""
        parts = "generator", "synthesised", *VIEWS
        return {name: getattr(self, name).weights for name in parts}

    @property
    def inherited_parts(self):
        """The generator."""
        return {"generator": self.generator.weights}

    @property
    def descriptor_weights(self):
        """Those of the two streams, and of an offset head."""
        streams = self.ground.weights + self.satellite.weights
        return streams + self.offset_weights

    @property
    def groups(self):
        """All that is trained, by the sum of two losses."""
        variables = self.trainable_variables
        return (VariableGroup("joint", variables, self._joint_loss),)

    def shared_outputs(self, views):
        """The descriptors [B, D] of both views and of synthesised images."""
        found = {
            view: self._forward(views[view], view, True)[0] for view in VIEWS
        }
        made = self._synthesised_vectors(views["ground"], True)
        return {**found, "synthesised": made}

    def _joint_loss(self, views, shared, compare):
        ground, satellite = (shared[view] for view in VIEWS)
        terms = (
            compare(ground, satellite),
            compare(shared["synthesised"], satellite),
        )
        total = sum(w * t for w, t in zip(_WEIGHTS, terms, strict=True))
        named = {"ground": ground, "satellite": satellite}
        return total / sum(_WEIGHTS), {**named, "synthesised_loss": terms[1]}

    def _synthesised_vectors(self, panoramas, training):
        """Unit vectors [B, D] of the aerial images made of panoramas."""
        made = self.generator.image_alone(panoramas)
        images = 127.5 * (ops.cast(made, "float32") + 1.0)
        _, projection = self.satellite.layers
        features = self.synthesised(images, training=training)
        return unit_vectors(projection(features))


@keras.saving.register_keras_serializable("mgtl_tf")
class FusedFeatures(JointFeatures):
    """Linear maps of joint features, which are fixed: the published result.

    A panorama's descriptor is a linear map of its own and of its synthesised
    aerial image's features, an aerial image's one of its own. Features are
    computed as in evaluation; the authors store them. How their maps start is
    not known; here as Glorot's. 3,002,000 parameters are trained, beside
    155,377,424 and the generator's 30,825,670.
    """

    follows = "a run of regmi_stage=joint"

    def __init__(self, config=None, **kwargs):
        super().__init__(config, **kwargs)
        self.ground_fusion, self.satellite_fusion = (
            keras.layers.Dense(
                self.config.descriptor_size,
                name=f"{view}_fusion",
                dtype=self.dtype_policy,
            )
            for view in VIEWS
        )

    def build(self, input_shape):
        super().build(input_shape)
        size = self.config.descriptor_size
        self.ground_fusion.build((None, 2 * size))
        self.satellite_fusion.build((None, size))
        for part in (self.ground, self.satellite, self.synthesised):
            part.trainable = False

    @property
    def parts(self):
        """Names to layers that descriptors need, for counts by part."""
        return {
            "ground": [self.ground],
            "ground generator": [self.generator],
            "ground synthesised": [self.synthesised],
            "ground fusion": [self.ground_fusion],
            "satellite": [self.satellite],
            "satellite fusion": [self.satellite_fusion],
        }

    @property
    def inherited_parts(self):
        """All but the maps of fusion."""
        return self.copied_parts

    @property
    def descriptor_weights(self):
        """All but those that make label maps."""
        others = weights_besides(self.weights, self.generator.weights)
        return self.generator.image_weights + others

    @property
    def groups(self):
        """None: what is trained has the retrieval loss alone."""
        return ()

    def _forward(self, images, view, training, first_block=0):
        features, *rest = super()._forward(images, view, False)
        if view == "ground":
            made = self._synthesised_vectors(images, False)
            features = ops.concatenate([features, made], axis=-1)
        fusion = getattr(self, f"{view}_fusion")
        return unit_vectors(fusion(features)), *rest
