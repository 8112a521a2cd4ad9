"""A trained model as files for elsewhere: SavedModel, ONNX, TFLite."""

from mgtl_tf.export.saved_model import export_model
from mgtl_tf.export.saved_model import model_hash
