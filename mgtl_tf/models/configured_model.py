"""A Keras model that is made of a `ModelConfig`, and saved with it."""

from __future__ import annotations

import dataclasses

import keras

from mgtl_tf.config import ModelConfig
from mgtl_tf.models.pretrained_vgg16 import load_backbone_weights


class ConfiguredModel(keras.Model):
    """What every system begins with: its config, and that as Keras saves it.

    Args:
        config: `ModelConfig`.
    """

    def __init__(self, config: ModelConfig, **kwargs):
        super().__init__(**kwargs)
        self.config = config

    def start_from(self, source):
        """Starts the `backbones`, both VGG16Features, from VGG-16's weights.

        A system of other backbones has its own.

        Args:
            source: as of load_backbone_weights.

        Raises:
            UserError: where they cannot be had or do not fit.
        """
        load_backbone_weights(self, source)

    def get_config(self):
        """The constructor's arguments, the config as a plain dict."""
        return {
            **super().get_config(),
            "config": dataclasses.asdict(self.config),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model of `get_config`'s value."""
        config = dict(config)
        fields = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in config.pop("config").items()
        }
        return cls(ModelConfig(**fields), **config)
