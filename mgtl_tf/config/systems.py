"""Name to system: the one place where a new system is registered."""

from __future__ import annotations

# Classes are named and not imported: a config is read and checked without
# TensorFlow, and only the system that is built is imported.
SYSTEMS = {
    "mgtl": "mgtl_tf.models.mgtl.MutualGenerativeTransformer",
    "safa": "mgtl_tf.models.safa.SpatialAwareAggregation",
    "l2ltr": "mgtl_tf.models.l2ltr.LayerToLayerTransformer",
}
