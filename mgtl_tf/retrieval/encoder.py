"""An exported model, opened for use: image bytes to descriptors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.export.model_folder import read_details, require_whole_model
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import first_line
from mgtl_tf.utils.plain_path import plain_path
from mgtl_tf.utils.tf_setup import load_tensorflow


class UnreadableImage(Exception):
    """Bytes that the model can't take; the message says why, in a phrase."""


class Encoder:
    """The two signatures of a SavedModel that experiments.export wrote.

    The model's own decoder knows no EXIF, CMYK, TIFF or heading, and takes
    damaged files: give it what `png_files.as_png` makes of checked pixels.

    Args:
        folder: of the SavedModel.

    Attributes:
        model_hash: names the weights and the preprocessing; an index holds
            the hash of the model that it was built with.
        dimension: D, length of a descriptor.
        details: model.json, as a dict.

    Raises:
        UserError: where the folder is missing, incomplete or broken, or
            holds files that its model.json was not written for.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self.details = read_details(self.folder)
        self.model_hash: str = self.details["model_hash"]
        self.dimension: int = self.details["dimension"]
        require_whole_model(self.folder)
        self._signatures = _load(self.folder)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How the model sees an image: what model.json says of it."""
        names = ("image_size", "ground_crop")
        return {n: self.details[n] for n in names if n in self.details}

    def encode_ground(self, images: Sequence[bytes]) -> np.ndarray:
        """Descriptors of panoramas: B encoded images to float32 [B, D].

        Raises:
            UnreadableImage: where one of them is no whole image.
            UserError: where a descriptor is not finite.
            MemoryError: where they are too many for the memory.
        """
        return self._encode("encode_ground", images)

    def encode_satellite(self, images: Sequence[bytes]) -> np.ndarray:
        """Descriptors of square, north-up aerial images, float32 [B, D].

        Raises:
            UnreadableImage: where one of them is no whole square image.
            UserError: where a descriptor is not finite.
            MemoryError: where they are too many for the memory.
        """
        return self._encode("encode_satellite", images)

    def _encode(self, signature: str, images: Sequence[bytes]) -> np.ndarray:
        import tensorflow as tf

        try:
            answer = self._signatures[signature](
                image_bytes=tf.constant(list(images), tf.string)
            )
        except tf.errors.InvalidArgumentError as error:
            raise UnreadableImage(_reason(str(error))) from error
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError(f"{len(images)} images at once") from error
        found = answer["descriptor"].numpy()
        if not np.isfinite(found).all():
            raise UserError(
                f"--model={self.folder}: its descriptors are not finite; train"
                " it again, or export another checkpoint"
            )
        return found


def _load(folder: Path) -> Any:
    # Only now, so that wrong paths are told without the seconds it takes.
    load_tensorflow()
    import tensorflow as tf

    try:
        with plain_path(folder) as plain:
            signatures = tf.saved_model.load(str(plain)).signatures
        return {n: signatures[n] for n in ("encode_ground", "encode_satellite")}
    # TensorFlow tells broken files by many types, bare ones among them.
    except Exception as error:
        raise UserError(
            f"--model={folder}: can't be loaded ({first_line(error)}); export"
            " again"
        ) from error


def _reason(text: str) -> str:
    """TensorFlow's long message as a phrase."""
    found = re.search(r"an aerial image must be square[^\]]*", text)
    return found[0] if found else "not a whole JPEG or PNG image"
