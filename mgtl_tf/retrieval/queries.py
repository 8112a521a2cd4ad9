"""Queries in batches: images of any kind to descriptors, or why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mgtl_tf.retrieval.encoder import UnreadableImage
from mgtl_tf.retrieval.headings import turned
from mgtl_tf.retrieval.query_images import image_name, query_panorama
from mgtl_tf.utils.errors import UserError
from polar.png_files import as_png

BATCH_SIZE = 16
"""Panoramas encoded together."""

Unreadable = Callable[[Path, str], None]
"""Is told a query that cannot be read, and why."""


class GroundEncoder(Protocol):
    """What queries need of `encoder.Encoder`."""

    dimension: int

    def encode_ground(self, images: Sequence[bytes]) -> np.ndarray:
        """Encoded images to descriptors [B, D]."""


@dataclass(frozen=True)
class Query:
    """A panorama.

    Attributes:
        number: from 1, among its fellows.
        name: what it is called.
        image: as of `query_images.query_panorama`.
        true_row: its place's row in the gallery, where that is known.
        heading_read: degrees that its file says its centre looks to, by
            which it was turned; None where it says nothing.
    """

    number: int
    name: Path
    image: Any
    true_row: int | None = None
    heading_read: float | None = None


def query_batches(
    images: Iterable[Any],
    true_rows: Iterable[int | None],
    size: int = BATCH_SIZE,
) -> Iterator[list[Query]]:
    """Queries in batches, in order.

    Args:
        images: as of `query_images.query_panorama`.
        true_rows: one each.
        size: of a batch, at most.
    """
    queries = (
        Query(number, image_name(image, number), image, row)
        for number, (image, row) in enumerate(
            zip(images, true_rows, strict=False), start=1
        )
    )
    while batch := list(islice(queries, size)):
        yield batch


def encode_queries(
    encoder: GroundEncoder,
    queries: Iterable[Query],
    unreadable: Unreadable,
    turns: int = 1,
) -> tuple[list[Query], np.ndarray]:
    """Descriptors of a batch.

    Args:
        encoder: gives them.
        queries: b of them.
        unreadable: is told each that cannot be read.
        turns: T; where above 1, each panorama is also turned
            (`headings.turned`).

    Returns:
        The others, and their descriptors, float32 [b', D], or [b', T, D].
    """
    kept, contents = [], []
    for query in queries:
        try:
            seen = query_panorama(query.image, turns > 1)
            views = turned(seen.pixels, turns) if turns > 1 else [seen.pixels]
            # The model decodes files: it is given just these pixels.
            contents.append([as_png(view) for view in views])
            kept.append(replace(query, heading_read=seen.heading))
        except UnreadableImage as error:
            unreadable(query.name, str(error))
    kept, rows = _encode(encoder, kept, contents, unreadable)
    return kept, rows if turns > 1 else rows[:, 0]


def _encode(
    encoder: GroundEncoder,
    queries: list[Query],
    contents: list[list[bytes]],
    unreadable: Unreadable,
) -> tuple[list[Query], np.ndarray]:
    """Those that the network takes, and descriptors [b', T, D]."""
    empty = np.empty((0, 1, encoder.dimension), np.float32)
    if not queries:
        return [], empty
    try:
        flat = [image for images in contents for image in images]
        rows = encoder.encode_ground(flat)
        return queries, rows.reshape(len(queries), -1, encoder.dimension)
    except UnreadableImage as error:
        if len(queries) == 1:
            unreadable(queries[0].name, str(error))
            return [], empty
    # Only one by one is it known which of a batch was refused.
    parts = [
        _encode(encoder, [query], [content], unreadable)
        for query, content in zip(queries, contents, strict=True)
    ]
    parts = [part for part in parts if part[0]] or [([], empty)]
    kept = [query for part, _ in parts for query in part]
    return kept, np.concatenate([rows for _, rows in parts])


def refuse(name: Path, reason: str) -> None:
    """An `Unreadable` for which the first is an error.

    Raises:
        UserError: always.
    """
    raise UserError(f"{name}: {reason}")
