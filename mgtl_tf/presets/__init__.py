"""Named settings: config fields by name, for each data set and each system."""

from mgtl_tf.presets.registry import PRESETS, load_preset
