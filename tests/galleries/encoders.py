"""Encoders without a network, and small galleries for them.

As a program it builds an index slowly, for test_resume.py to kill:
python -m tests.galleries.encoders FOLDER
"""

import os
import signal
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from mgtl_tf.galleries.builder import build_index
from mgtl_tf.galleries.places import Place
from mgtl_tf.utils.errors import UserError


def widths(image):
    """Three numbers that tell the width of an image."""
    return image.shape[1], 0, 1


def unit_pixels(image):
    """The pixels of a 4 x 4 picture, a unit vector [48]."""
    row = image.ravel() - 127.5
    return row / np.linalg.norm(row)


class FakeEncoder:
    """Descriptors by a function of the pixels, which are the network's input.

    Args:
        describe: from RGB uint8 [h, w, 3] to D numbers.
        dimension: D.
        model_hash: of the model that it stands for.

    Attributes:
        batches: how many images each call had.
    """

    has_offsets = False
    details = {"ground_crop": [0.0, 1.0], "config": {"data": {}}}

    def __init__(self, describe=widths, dimension=3, model_hash="f" * 64):
        self.describe = describe
        self.dimension = dimension
        self.model_hash = model_hash
        self.batches = []

    def ground_input(self, pixels):
        return pixels

    satellite_input = ground_input

    def crop(self, size):
        return 0.0, 1.0

    def squeezed(self, size):
        return ""

    def encode_ground(self, images):
        self.batches.append(len(images))
        return np.float32([self.describe(image) for image in images])

    encode_satellite = encode_ground


class Troubled(FakeEncoder):
    """An encoder whose process is killed, the first of all; its last batch
    fails.

    Here, not beside its test: actors import its file, and Keras takes 6 s.
    """

    def __init__(self, died):
        super().__init__()
        self.died = died

    def encode_satellite(self, images):
        time.sleep(0.02)
        try:
            self.died.touch(exist_ok=False)
        except FileExistsError:
            if max(image.shape[1] for image in images) == 23:
                raise UserError("not finite") from None
            return super().encode_ground(images)
        os.kill(os.getpid(), signal.SIGKILL)


def pixel_encoder():
    return FakeEncoder(unit_pixels, 48, "e" * 64)


def failing(error, after=0, at_most=None, describe=widths):
    """An encoder that raises: after some batches, or for larger ones."""
    encoder = FakeEncoder(describe)
    encode = encoder.encode_satellite

    def failing_encode(images):
        if len(encoder.batches) >= after and len(images) > (at_most or 0):
            raise error
        return encode(images)

    encoder.encode_satellite = failing_encode
    return encoder


def wide_places(folder, count):
    """Places whose images, 1 pixel high, are 1 to `count` pixels wide.

    Two of three have a position; images are in a folder of that name.
    """
    (folder / "images").mkdir(exist_ok=True)
    made = []
    for n in range(count):
        image = folder / f"images/{n:04}.jpg"
        if not image.exists():
            write_wide(image, n + 1)
        made.append(
            Place(image.stem, image, (n / 7, -n / 3) if n % 3 else None)
        )
    return made


def write_wide(path: Path, width: int) -> None:
    """A black image, 1 pixel high."""
    data = cv2.imencode(".png", np.zeros((1, width, 3), np.uint8))[1]
    path.write_bytes(data.tobytes())


def build(places, index, encoder=None, batch_size=4, **options):
    return build_index(
        encoder or FakeEncoder(), places, index, batch_size, False, **options
    )


def change_byte(path, place=-1):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


if __name__ == "__main__":
    home, slow = Path(sys.argv[1]), FakeEncoder()

    def describe(image):
        time.sleep(0.0025)
        return widths(image)

    slow.describe = describe
    build(wide_places(home, 203), home / "index", slow)
