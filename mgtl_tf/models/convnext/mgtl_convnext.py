"""MGTL's transformer on ConvNeXt: does its knowledge help a modern trunk?"""

from __future__ import annotations

import keras

from mgtl_tf.layers.convnext_tokens import ConvNeXtTokens
from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.models.convnext.convnext_model import convnext_arguments
from mgtl_tf.models.convnext.learned_temperature import LearnedTemperature
from mgtl_tf.models.convnext.pretrained_convnext import load_convnext
from mgtl_tf.models.mgtl import MutualGenerativeTransformer


@keras.saving.register_keras_serializable("mgtl_tf")
class ConvNeXtGenerativeTransformer(
    LearnedTemperature, MutualGenerativeTransformer
):
    """MGTL's recurrence on the azimuth columns of ConvNeXt's map.

    Of both views one trunk with `shared_trunk`, else one each; all after it
    is MGTL's: a view's steps are its own. A descriptor is of T columns of
    C numbers; 128 x 512 images leave T = 16 and, with a shared ConvNeXt-B,
    L = 6 and C = 384, 137,612,800 parameters and one of the temperature.

    A system of ours, of no paper.
    """

    system = "mgtl_convnext"

    def _features(self, channels):
        return ConvNeXtTokens(
            channels,
            convnext_arguments(self.config),
            self.config.shared_trunk,
            name="features",
            dtype=self.dtype_policy,
        )

    @property
    def backbones(self):
        """None of VGG-16."""
        return []

    @property
    def _backbone_parts(self):
        views = ["shared"] if self.config.shared_trunk else VIEWS
        return {
            f"{view} backbone (MIFE)": list(branch)
            for view, branch in zip(views, self.features.branches, strict=True)
        }

    def start_from(self, source):
        """Starts the trunks from ConvNeXt's weights; see load_convnext.

        Raises:
            UserError: where they cannot be read or do not fit.
        """
        load_convnext(self.features.branches, source)
