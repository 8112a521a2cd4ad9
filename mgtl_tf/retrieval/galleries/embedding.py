"""A gallery's candidates to descriptors, batch by batch.

The next images are decoded and preprocessed while a batch is encoded. An
image that can't be read leaves a gap; a batch that is too large for the
memory is halved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from mgtl_tf.retrieval.encoder import UnreadableImage
from mgtl_tf.retrieval.galleries.growing import Gap
from mgtl_tf.retrieval.galleries.sources import ImageSource, LeftOut, NoData
from mgtl_tf.utils.batches import prefetched
from mgtl_tf.utils.errors import UserError


class SatelliteEncoder(Protocol):
    """What building needs of `encoder.Encoder`."""

    model_hash: str
    dimension: int

    def satellite_input(self, pixels: np.ndarray) -> np.ndarray:
        """RGB uint8 [s, s, 3] to a network input."""

    def encode_satellite(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Network inputs to descriptors [B, D]."""


@dataclass(frozen=True)
class Embedded:
    """A batch of candidates after encoding.

    Attributes:
        count: of its candidates.
        rows: descriptors of those that could be read, float32 [b, D].
        gaps: the others.
    """

    count: int
    rows: np.ndarray
    gaps: list[Gap]


def embedded(
    encoder: SatelliteEncoder,
    source: ImageSource,
    first: int,
    batch_size: int,
    folder: Path,
) -> Iterator[Embedded]:
    """Descriptors of a source's candidates, in order.

    Args:
        encoder: computes them.
        source: the candidates.
        first: number of the first that is wanted; all after it are too.
        batch_size: B, images encoded together.
        folder: where the index grows, as of `ImageSource.load`.

    Raises:
        UserError: where the memory does not suffice for one image, or
            descriptors are not finite.
    """

    def prepare(number: int) -> np.ndarray | Gap:
        try:
            return encoder.satellite_input(source.load(number, folder))
        except (LeftOut, UnreadableImage) as error:
            return Gap(number, str(error), isinstance(error, NoData))

    numbers = range(first, len(source))
    images = prefetched(prepare, numbers, source.threads, 2 * batch_size)
    while batch := list(islice(images, batch_size)):
        gaps = [image for image in batch if isinstance(image, Gap)]
        read = [image for image in batch if not isinstance(image, Gap)]
        yield Embedded(len(batch), _encode(encoder, read), gaps)


def _encode(
    encoder: SatelliteEncoder, images: Sequence[np.ndarray]
) -> np.ndarray:
    """Descriptors [b, D]."""
    if not images:
        return np.empty((0, encoder.dimension), np.float32)
    try:
        return _checked(encoder.encode_satellite(images))
    except MemoryError:
        if len(images) == 1:
            raise UserError(
                "no memory to encode a single image; stop other programs and"
                " give the same command again"
            ) from None
    middle = len(images) // 2
    halves = (images[:middle], images[middle:])
    return np.concatenate([_encode(encoder, half) for half in halves])


def _checked(rows: np.ndarray) -> np.ndarray:
    if not np.isfinite(rows).all():
        raise UserError(
            "the model gives descriptors that are not finite; train again or"
            " export another checkpoint"
        )
    return rows
