"""A gallery's candidates to descriptors, batch by batch.

A batch is read while the one before is encoded. An image that cannot be had
leaves a gap; a batch that is too large for the memory is halved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mgtl_tf.retrieval.encoder import UnreadableImage
from mgtl_tf.retrieval.galleries.sources import ImageSource, LeftOut, NoData
from mgtl_tf.retrieval.galleries.unfinished import Gap
from mgtl_tf.utils.errors import UserError

# Of a batch's pixels; two batches are in memory at a time.
_MOST_BYTES = 2**28


class SatelliteEncoder(Protocol):
    """What building needs of `encoder.Encoder`."""

    model_hash: str
    dimension: int

    def encode_satellite(self, images: Sequence[bytes]) -> np.ndarray:
        """Encoded images to descriptors [B, D]."""


@dataclass(frozen=True)
class Embedded:
    """A batch of candidates that is dealt with.

    Attributes:
        count: of its candidates.
        rows: descriptors of those that could be had, float32 [b, D].
        gaps: the others.
    """

    count: int
    rows: np.ndarray
    gaps: list[Gap]


@dataclass(frozen=True)
class _Batch:
    """Candidates as they were read: numbers of those that could be."""

    count: int
    numbers: list[int]
    contents: list[bytes]
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
        encoder: gives them.
        source: the candidates.
        first: number of the first that is wanted; all after it are too.
        batch_size: B, images encoded together.
        folder: where the index grows, as of `ImageSource.load`.

    Raises:
        UserError: where memory does not do for one image, or descriptors
            are not finite.
    """
    for batch in _batches(source, first, batch_size, folder):
        rows, refused = _encode(encoder, batch)
        gaps = sorted(batch.gaps + refused, key=lambda gap: gap.number)
        yield Embedded(batch.count, rows, gaps)


def _batches(
    source: ImageSource, first: int, batch_size: int, folder: Path
) -> Iterator[_Batch]:
    with ThreadPoolExecutor(1) as reader:

        def ahead(start: int) -> Future[_Batch]:
            part = range(start, min(start + batch_size, len(source)))
            return reader.submit(_read, source, part, folder)

        coming = ahead(first)
        while (batch := coming.result()).count:
            first += batch.count
            coming = ahead(first)
            yield batch


def _read(source: ImageSource, numbers: range, folder: Path) -> _Batch:
    """So many candidates, or fewer where they are large."""
    kept: list[int] = []
    contents: list[bytes] = []
    gaps: list[Gap] = []
    for number in numbers:
        try:
            contents.append(source.load(number, folder))
            kept.append(number)
        except LeftOut as error:
            gaps.append(Gap(number, str(error), isinstance(error, NoData)))
        if sum(map(len, contents)) > _MOST_BYTES:
            break
    return _Batch(len(kept) + len(gaps), kept, contents, gaps)


def _encode(
    encoder: SatelliteEncoder, batch: _Batch
) -> tuple[np.ndarray, list[Gap]]:
    """Descriptors [b, D] of the readable images, and those that are not."""
    empty = np.empty((0, encoder.dimension), np.float32)
    if not batch.numbers:
        return empty, []
    try:
        return _checked(encoder.encode_satellite(batch.contents)), []
    except UnreadableImage as error:
        if len(batch.numbers) == 1:
            return empty, [Gap(batch.numbers[0], str(error), False)]
    except MemoryError:
        if len(batch.numbers) == 1:
            raise UserError(
                "--model: no memory for a single image; stop other programs"
                " and give the same command again"
            ) from None
        middle = len(batch.numbers) // 2
        return _encode_parts(encoder, batch, [0, middle, len(batch.numbers)])
    # Only one by one is it known which of a batch was refused.
    bounds = list(range(len(batch.numbers) + 1))
    return _encode_parts(encoder, batch, bounds)


def _encode_parts(
    encoder: SatelliteEncoder, batch: _Batch, bounds: Sequence[int]
) -> tuple[np.ndarray, list[Gap]]:
    parts = [
        _Batch(0, batch.numbers[a:b], batch.contents[a:b], [])
        for a, b in zip(bounds, bounds[1:], strict=False)
    ]
    done = [_encode(encoder, part) for part in parts]
    gaps = [gap for _, refused in done for gap in refused]
    return np.concatenate([rows for rows, _ in done]), gaps


def _checked(rows: np.ndarray) -> np.ndarray:
    if not np.isfinite(rows).all():
        raise UserError(
            "--model: gives descriptors that are not finite; train again or"
            " export another checkpoint"
        )
    return rows
