"""One more system: all that is written to add it.

The class goes to `mgtl_tf/models/global_maximum.py`, the config and its line
in SYSTEMS to `mgtl_tf/config/peers.py`, SETTINGS to `_SETTINGS` in
`mgtl_tf/presets/systems.py`, ROW to `TABLE` in `tests/models/systems.py`. Then
every program, file and test has it.
"""

from dataclasses import dataclass
from typing import ClassVar

import keras

from mgtl_tf.config.model import SYSTEMS, ModelConfig, published
from mgtl_tf.models.vgg16_model import VGG16Model


@keras.saving.register_keras_serializable("mgtl_tf")
class GlobalMaximum(VGG16Model):
    """The strongest answer of each channel of VGG-16, wherever it is."""

    system = "global_maximum"

    def _head(self, view):
        return keras.layers.GlobalMaxPooling2D(
            name="maximum", dtype=self.dtype_policy
        )


@dataclass(frozen=True)
class GlobalMaximumConfig(ModelConfig):
    """VGG-16 to conv5_3, at the paper's image size."""

    model_class: ClassVar[str] = "tests.models.example_system.GlobalMaximum"

    system: str = published("system", "global_maximum")
    poolings: int = published("poolings", 4)


SYSTEMS |= {"global_maximum": GlobalMaximumConfig}

SETTINGS = {"procedural": {}, "": {"batch_size": 32, "epochs": 100}}

ROW = ({"poolings": 2, "backbone_normalization": "batch"}, 32)
