"""Named settings: each preset is a RunConfig value in a file of its own."""

from mgtl_tf.presets.registry import PRESETS
from mgtl_tf.presets.registry import load_preset
