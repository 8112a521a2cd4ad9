"""Named settings: each preset is a RunConfig value in a file of its own."""

from mgtl_tf.presets.registry import PRESETS, load_preset
