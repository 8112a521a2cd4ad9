"""An exported model, opened for use: checked pixels to descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.datasets import preprocess
from mgtl_tf.datasets.panorama_shape import crop_of, squeezed
from mgtl_tf.export.model_folder import (
    OFFSETS,
    input_form,
    read_details,
    require_undamaged,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import first_line
from mgtl_tf.utils.plain_path import plain_path
from mgtl_tf.utils.scorers import scorer_of
from mgtl_tf.utils.tf_setup import load_tensorflow

_GROUND = "encode_ground_pixels"
_SATELLITE = "encode_satellite_pixels"


class UnreadableImage(Exception):
    """An image that the model cannot take; the message is a phrase."""


class Encoder:
    """The signatures of a SavedModel that take network inputs.

    Files are decoded strictly by `polar.image_files` and preprocessed by
    OpenCV, as in training and evaluation: `ground_input` and
    `satellite_input`, which any thread may call.

    Args:
        folder: of the SavedModel.

    Attributes:
        model_hash: names the weights and the preprocessing; an index holds
            the hash of the model that it was built with.
        dimension: D, length of a satellite descriptor.
        scorer: how descriptors are compared.
        details: of model.json.

    Raises:
        UserError: where the folder is missing, incomplete or broken, holds
            files that its model.json was not written for, or is an export of
            an earlier version.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self.details = read_details(self.folder)
        self.model_hash: str = self.details["model_hash"]
        self.dimension: int = self.details["dimension"]
        self.scorer = scorer_of(self.details.get("scorer"))
        self._form = input_form(self.details)
        self._ground_crop = tuple(self.details["ground_crop"])
        data = self.details["config"].get("data", {})
        self._dataset: str = data.get("dataset", "")
        require_undamaged(self.folder)
        self._signatures = _load(self.folder)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The preprocessing of images and the scorer, as in model.json."""
        own = {n: self.details[n] for n in ("image_size", "ground_crop")}
        own |= self._form.settings
        return {**own, "scorer": self.scorer.plain()}

    def ground_input(self, pixels: np.ndarray) -> np.ndarray:
        """A panorama, RGB uint8 [h, w, 3], as network input [H, W, 3].

        Of a full sphere (2:1) a model of strips takes the middle rows.

        Raises:
            UnreadableImage: where it does not fit the model.
        """
        size, kind = self._form.size("ground"), self._form.ground_form
        crop = self.crop(pixels.shape[:2])
        return _prepared(preprocess.ground_input, pixels, size, crop, "", kind)

    def crop(self, size: tuple[int, int]) -> tuple[float, float]:
        """Top and bottom of the rows that `ground_input` keeps, fractions.

        Args:
            size: height and width of a panorama, pixels.
        """
        wanted = self._form.size("ground")
        return crop_of(size, wanted, self._ground_crop, self._dataset)

    def squeezed(self, size: tuple[int, int]) -> str:
        """Why `ground_input` gives panoramas another shape than those that
        the model was trained on have; "" where it does not.

        Args:
            size: as of `crop`.
        """
        wanted = self._form.size("ground")
        return squeezed(size, self.crop(size), wanted, self._dataset)

    def satellite_input(self, pixels: np.ndarray) -> np.ndarray:
        """A north-up aerial image, RGB uint8 [s, s, 3], as network input.

        It is polar-transformed, or resized, as the model takes it: [H, W, 3].

        Raises:
            UnreadableImage: where it is not square.
        """
        size, kind = self._form.size("satellite"), self._form.satellite_form
        return _prepared(preprocess.satellite_input, pixels, size, kind)

    def encode_ground(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Descriptors of panoramas, float32 [B, D].

        Args:
            images: B results of `ground_input`.

        Raises:
            UserError: where a descriptor is not finite.
            MemoryError: where they are too many for the memory.
        """
        return self._encode(_GROUND, images)

    def encode_satellite(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Those of aerial images: B results of `satellite_input`."""
        return self._encode(_SATELLITE, images)

    @property
    def has_offsets(self) -> bool:
        """Whether it says where in an aerial image a panorama stands."""
        return OFFSETS in self._signatures

    def offsets(
        self, ground: np.ndarray, satellite: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where panoramas stand in aerial images, if these are theirs.

        Args:
            ground, satellite: descriptors, float32 [n, D].

        Returns:
            east and north of the images' centres, float32 [n, 2], and how far
            that is expected to be wrong, float32 [n] (0: not measured), both
            in sides of the image.
        """
        import tensorflow as tf

        found = self._signatures[OFFSETS](
            ground=tf.constant(ground), satellite=tf.constant(satellite)
        )
        return found["offset"].numpy(), found["expected_error"].numpy()

    def _encode(
        self, signature: str, images: Sequence[np.ndarray]
    ) -> np.ndarray:
        import tensorflow as tf

        try:
            answer = self._signatures[signature](
                pixels=tf.constant(np.stack(images))
            )
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError(f"{len(images)} images at once") from error
        found = answer["descriptor"].numpy()
        if not np.isfinite(found).all():
            raise UserError(
                f"{self.folder}: its descriptors are not finite; train it"
                " again, or export another checkpoint"
            )
        return found


def _prepared(function: Any, *arguments: Any) -> np.ndarray:
    try:
        return function(*arguments)
    except UserError as error:
        raise UnreadableImage(str(error)) from error


def _load(folder: Path) -> Any:
    # Only now: wrong paths are reported without the seconds that this takes.
    load_tensorflow()
    import tensorflow as tf

    try:
        with plain_path(folder) as plain:
            signatures = tf.saved_model.load(str(plain)).signatures
    # TensorFlow reports broken files by many types, bare ones among them.
    except Exception as error:
        raise UserError(
            f"{folder}: can't be loaded ({first_line(error)}); export again"
        ) from error
    for name in (_GROUND, _SATELLITE):
        if name not in signatures:
            raise UserError(
                f"{folder}: written by an earlier version, without the"
                f" signature {name}; export again"
            )
    return signatures
