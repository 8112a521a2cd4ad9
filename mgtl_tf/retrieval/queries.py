"""Queries in batches: images of any kind to descriptors, or why not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mgtl_tf.retrieval.encoder import UnreadableImage
from mgtl_tf.retrieval.headings import rotated
from mgtl_tf.retrieval.query_images import image_name, query_panorama
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.prefetch import prefetched

BATCH_SIZE = 16
"""Panoramas encoded together."""

# Each may hold an image of the most pixels that are read.
_THREADS = min(2, os.cpu_count() or 1)

Unreadable = Callable[[Path, str], None]
"""Called with a query that cannot be read, and why."""


class GroundEncoder(Protocol):
    """What queries need of `encoder.Encoder`."""

    def ground_input(self, pixels: np.ndarray) -> np.ndarray:
        """RGB uint8 [h, w, 3] to a network input."""

    def encode_ground(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Network inputs to descriptors [B, D]."""


@dataclass(frozen=True)
class Query:
    """A panorama.

    Attributes:
        number: from 1, in the order of the images.
        name: what it is called.
        image: as of `query_images.query_panorama`.
        true_row: its place's row in the gallery, where that is known.
        heading_read: degrees from north of its centre column as its file
            says, by which it was turned; None where it says nothing.
    """

    number: int
    name: Path
    image: Any
    true_row: int | None = None
    heading_read: float | None = None


def encoded_queries(
    encoder: GroundEncoder,
    images: Iterable[Any],
    true_rows: Iterable[int | None],
    unreadable: Unreadable,
    rotations: int = 1,
) -> Iterator[tuple[list[Query], np.ndarray]]:
    """Descriptors of queries, in batches and in order.

    The next images are decoded and preprocessed while a batch is encoded.

    Args:
        encoder: computes them.
        images: as of `query_images.query_panorama`.
        true_rows: one each.
        unreadable: called with each that cannot be read.
        rotations: T; where above 1, each panorama is also rotated
            (`headings.rotated`).

    Yields:
        b readable queries and their descriptors, float32
        [b, D], or [b, T, D].
    """
    queries = (
        Query(number, image_name(image, number), image, row)
        for number, (image, row) in enumerate(
            zip(images, true_rows, strict=False), start=1
        )
    )
    size = max(1, BATCH_SIZE // rotations)
    prepared = prefetched(
        lambda query: _prepared(encoder, query, rotations),
        queries,
        _THREADS,
        size,
    )
    while batch := list(islice(prepared, size)):
        kept = []
        for query, inputs in batch:
            if isinstance(inputs, UnreadableImage):
                unreadable(query.name, str(inputs))
            else:
                kept.append((query, inputs))
        if kept:
            flat = [image for _, inputs in kept for image in inputs]
            rows = encoder.encode_ground(flat)
            if rotations > 1:
                rows = rows.reshape(len(kept), rotations, -1)
            yield [query for query, _ in kept], rows


def _prepared(
    encoder: GroundEncoder, query: Query, rotations: int
) -> tuple[Query, list[np.ndarray] | UnreadableImage]:
    """A query's T network inputs, or why there are none."""
    try:
        seen = query_panorama(query.image, rotations > 1)
        views = [seen.pixels]
        if rotations > 1:
            views = rotated(seen.pixels, rotations)
        inputs = [encoder.ground_input(view) for view in views]
    except UnreadableImage as error:
        return query, error
    return replace(query, heading_read=seen.heading), inputs


def refuse(name: Path, reason: str) -> None:
    """An `Unreadable` for which the first is an error.

    Raises:
        UserError: always.
    """
    raise UserError(f"{name}: {reason}")
