"""A trained model as files for elsewhere: SavedModel, ONNX, TFLite."""

from mgtl_tf.export.saved_model import export_model, model_hash
