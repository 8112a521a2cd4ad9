"""Queries: images of any kind to panoramas and descriptors, in batches."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.galleries.encoder import Encoder, UnreadableImage
from mgtl_tf.utils.batches import prefetched
from mgtl_tf.utils.errors import UserError
from polar.gpano import Panorama, rotate_to_north
from polar.image_files import decode, decode_panorama, read_file

BATCH_SIZE = 16
"""Panoramas encoded together."""

# Each may hold an image of the most pixels that are read.
_THREADS = min(2, os.cpu_count() or 1)
# PIL's kinds of pixels that a PNG holds as they are.
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")

Unreadable = Callable[[Path, str], None]
"""Called with a query that cannot be read, and why."""


@dataclass(frozen=True)
class Query:
    """A panorama.

    Attributes:
        number: from 1, in the order of the images.
        name: its path, or "image 3".
        image: as of `query_panorama`.
        true_row: its place's row in the gallery, where that is known.
        heading_read: degrees from north of its centre column as its file
            says, by which it was turned; None where it says nothing.
        squeezed: as of `Encoder.squeezed`.
    """

    number: int
    name: Path
    image: Any
    true_row: int | None = None
    heading_read: float | None = None
    squeezed: str = ""


def raise_unreadable(name: Path, reason: str) -> None:
    """An `Unreadable` that raises at once.

    Raises:
        UserError: always.
    """
    raise UserError(f"{name}: {reason}")


def encoded_queries(
    encoder: Encoder,
    images: Iterable[Any],
    true_rows: Iterable[int | None],
    unreadable: Unreadable,
    rotations: int = 1,
    unknown_heading: bool = False,
) -> Iterator[tuple[list[Query], np.ndarray]]:
    """Descriptors of queries, in batches and in order, decoded ahead.

    Args:
        encoder: computes them.
        images: as of `query_panorama`.
        true_rows: one each.
        unreadable: called with each that cannot be read.
        rotations: T; where above 1, each panorama is encoded in T rotations,
            the t-th with north in the centre column if the original's centre
            column looks towards t * 360 / T degrees.
        unknown_heading: as of `query_panorama`.

    Yields:
        b readable queries and their descriptors, float32 [b, D], or
        [b, T, D].
    """
    queries = (
        Query(number, _name(image, number), image, row)
        for number, (image, row) in enumerate(
            zip(images, true_rows, strict=False), start=1
        )
    )
    size = max(1, BATCH_SIZE // rotations)
    prepared = prefetched(
        lambda query: _prepared(encoder, query, rotations, unknown_heading),
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


def _name(image: Any, number: int) -> Path:
    named = image if isinstance(image, str | Path) else None
    # A PIL image knows the file that it was opened from.
    named = named or getattr(image, "filename", None)
    return Path(named or f"image {number}")


def _prepared(
    encoder: Encoder, query: Query, count: int, unknown_heading: bool
) -> tuple[Query, list[np.ndarray] | UnreadableImage]:
    """A query's network inputs, one a rotation, or why there are none."""
    try:
        seen = query_panorama(query.image, unknown_heading)
        views = [seen.pixels] + [
            rotate_to_north(seen.pixels, t * 360 / count)
            for t in range(1, count)
        ]
        inputs = [encoder.ground_input(view) for view in views]
    except UnreadableImage as error:
        return query, error
    squeezed = encoder.squeezed(seen.pixels.shape[:2])
    return replace(query, heading_read=seen.heading, squeezed=squeezed), inputs


def query_panorama(image: Any, unknown_heading: bool = False) -> Panorama:
    """A query's pixels, decoded once, north in the centre column.

    Args:
        image: path of a JPEG, PNG or TIFF file; the bytes of one; pixels,
            RGB uint8 [H, W, 3]; or a PIL image.
        unknown_heading: whether the file's own heading is ignored, and the
            pixels stay as they are stored.

    Raises:
        UnreadableImage: for a file that cannot be read, is damaged, cut off
            or animated, has too many pixels, or does not cover 360 degrees.
        TypeError: for anything else.
        ValueError: for an array of another shape or type.
    """
    if isinstance(image, np.ndarray):
        return Panorama(_checked(image))
    if not isinstance(image, str | Path | bytes | bytearray | memoryview):
        image = _png_of(image)
    try:
        data = read_file(image) if isinstance(image, str | Path) else image
        if unknown_heading:
            return Panorama(decode(bytes(data)))
        return decode_panorama(bytes(data))
    except OSError as error:
        raise UnreadableImage(error.strerror or str(error)) from error
    except ValueError as error:
        raise UnreadableImage(str(error)) from error


def _checked(image: np.ndarray) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"image is {image.dtype} {list(image.shape)}; must be RGB uint8"
            " [H, W, 3]"
        )
    if not image.size:
        raise UnreadableImage("has no pixels")
    return image


def _png_of(image: Any) -> bytes:
    """Of a PIL image, turned as its EXIF says, with the notes in its XMP."""
    if not (hasattr(image, "convert") and hasattr(image, "getexif")):
        raise TypeError(
            f"image is a {type(image).__name__}; must be a path, bytes, an"
            " array [H, W, 3] or a PIL image"
        )
    from PIL import ImageOps, PngImagePlugin

    upright = ImageOps.exif_transpose(image)
    if upright.mode not in _PNG_MODES:
        upright = upright.convert("RGB")
    notes = PngImagePlugin.PngInfo()
    if xmp := upright.info.get("xmp"):
        # A TIFF file's may be text, or a tuple of numbers.
        packet = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
        notes.add_itxt("XML:com.adobe.xmp", packet)
    buffer = io.BytesIO()
    upright.save(buffer, "PNG", compress_level=1, pnginfo=notes)
    return buffer.getvalue()
