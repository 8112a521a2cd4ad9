"""A program for test_resume.py: builds an index slowly, to be killed.

python -m tests.galleries.gallery_making FOLDER
"""

import sys
import time
from pathlib import Path

import numpy as np

from mgtl_tf.galleries.builder import build_index
from mgtl_tf.galleries.places import Place
from tests.retrieval.identity_inputs import IdentityInputs


class SlowEncoder(IdentityInputs):
    """The width of an image; each batch takes a while."""

    model_hash = "f" * 64
    dimension = 64

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.images = 0

    def encode_satellite(self, images):
        time.sleep(self.seconds)
        self.images += len(images)
        sums = [[image.shape[1]] for image in images]
        return np.float32(sums) * np.arange(1, 65, dtype=np.float32)


def places(folder):
    """The files of a folder, one in three with a position."""
    files = sorted(Path(folder, "images").iterdir())
    return [
        Place(f.stem, f, (n / 7, -n / 3) if n % 3 else None)
        for n, f in enumerate(files)
    ]


if __name__ == "__main__":
    build_index(
        SlowEncoder(0.01), places(sys.argv[1]), Path(sys.argv[1], "index"), 4
    )
