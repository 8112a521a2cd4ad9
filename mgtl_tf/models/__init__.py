"""Every system of every table, behind one `build_model`."""

from mgtl_tf.models.registry import build_model
