"""What a SavedModel answers, and how far another format's answers are off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from mgtl_tf.export.model_folder import OFFSETS
from mgtl_tf.utils.plain_path import plain_path

Batches = dict[str, list[np.ndarray]]
"""For each signature, images uint8 [B, h, w, 3] or descriptors [B, D]."""
Answers = dict[str, np.ndarray]
"""A signature's inputs or outputs, by name."""
Opened = Mapping[str, Callable[..., Answers]]
"""A format's signatures, by name."""


@dataclass(frozen=True)
class ExpectedAnswers:
    """A SavedModel's, to given images.

    Attributes:
        images: of `encode_ground` and then of `encode_satellite`.
        descriptors: of these.
        points: of the offset head, to `pairs` of them; empty without.
    """

    images: Batches
    descriptors: Batches
    points: Answers = field(default_factory=dict)

    @classmethod
    def of(
        cls, folder: Path, images: Batches, has_offsets: bool
    ) -> ExpectedAnswers:
        """The answers of the SavedModel in a folder."""
        with plain_path(folder) as plain:
            signatures = tf.saved_model.load(str(plain)).signatures

        def encode(name: str, pixels: np.ndarray) -> np.ndarray:
            # PNG loses nothing.
            files = [cv2.imencode(".png", p[..., ::-1])[1] for p in pixels]
            contents = tf.constant([file.tobytes() for file in files])
            return signatures[name](image_bytes=contents)["descriptor"].numpy()

        found = cls(
            images,
            {n: [encode(n, pixels) for pixels in b] for n, b in images.items()},
        )
        if has_offsets:
            asked = {view: tf.constant(x) for view, x in found.pairs.items()}
            points = signatures[OFFSETS](**asked)
            found.points.update({n: x.numpy() for n, x in points.items()})
        return found

    @property
    def pairs(self) -> Answers:
        """As many descriptors of either view, the first beside the first."""
        both = [np.concatenate(d) for d in self.descriptors.values()]
        count = min(map(len, both))
        return {"ground": both[0][:count], "satellite": both[1][:count]}

    def descriptor_difference(self, opened: Opened) -> float:
        """The largest relative distance of two descriptors of an image.

        NaN of any NaN.
        """
        distances = [
            _relative_distances(
                opened[name](image=pixels)["descriptor"], wanted
            ).max()
            for name, batches in self.images.items()
            for pixels, wanted in zip(
                batches, self.descriptors[name], strict=True
            )
        ]
        return float(np.max(distances))

    def offset_difference(self, opened: Opened) -> float:
        """The largest difference of two points, in sides; NaN of any NaN."""
        found = opened[OFFSETS](**self.pairs)
        apart = [
            np.abs(found[name] - wanted).max()
            for name, wanted in self.points.items()
        ]
        return float(np.max(apart))


def _relative_distances(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Of rows [B, D], as shares of the lengths of those wanted, [B]."""
    lengths = np.linalg.norm(wanted, axis=-1)
    apart = np.linalg.norm(found - wanted, axis=-1)
    return apart / np.maximum(lengths, np.finfo(np.float32).tiny)
