"""A trained model as files for elsewhere: SavedModel, ONNX, TFLite."""
