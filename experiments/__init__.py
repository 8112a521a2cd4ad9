"""Programs: `python -m experiments.NAME --help` tells what each does."""

import os

# Flags and image files need no Keras; what does imports it itself.
os.environ.setdefault("MGTL_TF_LAZY", "1")
