"""Aerial images to descriptors, batch by batch, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

import numpy as np

from mgtl_tf.galleries.encoder import UnreadableImage
from mgtl_tf.galleries.growing import Gap
from mgtl_tf.galleries.sources import ImageSource, LeftOut, NoData
from mgtl_tf.utils.batches import prefetched
from mgtl_tf.utils.errors import UserError


class SatelliteEncoder(Protocol):
    """What building needs of an `Encoder`."""

    model_hash: str
    dimension: int

    def satellite_input(self, pixels: np.ndarray) -> np.ndarray:
        """RGB uint8 [s, s, 3] to a network input."""

    def encode_satellite(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Network inputs to descriptors [B, D]."""


@dataclass(frozen=True)
class Encoded:
    """A batch of candidates.

    Attributes:
        rows: descriptors of those that can be read, float32 [b, D].
        gaps: the other ones.
        filled: number to how many pixels the map lacked there.
    """

    rows: np.ndarray
    gaps: list[Gap]
    filled: dict[int, int]


def encoded_batches(
    encoder: SatelliteEncoder,
    source: ImageSource,
    folder: Path,
    batches: Sequence[range],
) -> Iterator[Encoded]:
    """Encodes batches; the next images are decoded meanwhile.

    Args:
        encoder: gives the descriptors.
        source: of the images.
        folder: the index's, where crops are kept.
        batches: numbers of candidates.

    Raises:
        UserError: where a descriptor is not finite, or one image exceeds
            the memory.
        OSError: where the folder takes no crop.
    """

    def prepare(number: int) -> tuple[int, np.ndarray, int] | Gap:
        try:
            pixels, missing = source.load(number, folder)
            return number, encoder.satellite_input(pixels), missing
        except (LeftOut, UnreadableImage) as error:
            return Gap(number, str(error), isinstance(error, NoData))

    numbers = chain.from_iterable(batches)
    ahead = 2 * max(map(len, batches), default=1)
    images = prefetched(prepare, numbers, source.threads, ahead)
    for batch in batches:
        found = list(islice(images, len(batch)))
        read = [image for image in found if not isinstance(image, Gap)]
        yield Encoded(
            _encode(encoder, [pixels for _, pixels, _ in read]),
            [image for image in found if isinstance(image, Gap)],
            {number: missing for number, _, missing in read if missing},
        )


class BatchEncoder:
    """One batch after the other, by an encoder and a source of its own.

    It is sent to another process as what opens them there, at the first batch.

    Args:
        open_encoder, open_source: picklable, without arguments.
        folder: as of `encoded_batches`.
    """

    def __init__(
        self,
        open_encoder: Callable[[], SatelliteEncoder],
        open_source: Callable[[], ImageSource],
        folder: Path,
    ):
        self.open_encoder = open_encoder
        self.open_source = open_source
        self.folder = folder

    @cached_property
    def _opened(self) -> tuple[SatelliteEncoder, ImageSource]:
        return self.open_encoder(), self.open_source()

    def __call__(self, batch: range) -> Encoded:
        """See `encoded_batches`."""
        encoder, source = self._opened
        (found,) = encoded_batches(encoder, source, self.folder, [batch])
        return found


def batches_of(start: int, stop: int, size: int) -> list[range]:
    """The numbers from `start` to `stop` in ranges of `size` and a rest."""
    return [range(n, min(n + size, stop)) for n in range(start, stop, size)]


def _encode(
    encoder: SatelliteEncoder, images: Sequence[np.ndarray]
) -> np.ndarray:
    """Descriptors [b, D]; what exceeds the memory is halved."""
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
