"""What performance claims rest on: each prints a ratio from one run."""

import os

# Processes that decode start by importing the benchmark: without Keras.
os.environ.setdefault("MGTL_TF_LAZY", "1")
