"""Building a gallery index: every aerial image through the model, once.

The index grows beside its final name (`unfinished.py`). Killed anywhere, the
same call goes on from the last whole batch and ends in the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Protocol

import numpy as np
from tqdm import tqdm

from mgtl_tf.data.cache_guard import alone
from mgtl_tf.errors import UserError
from mgtl_tf.folders import INDEX_JSON
from mgtl_tf.folders import require_replaceable
from mgtl_tf.folders import swap_folder
from mgtl_tf.folders import sync
from mgtl_tf.folders import unwritable
from mgtl_tf.retrieval.columns import COLUMN_FILES
from mgtl_tf.retrieval.encoder import UnreadableImage
from mgtl_tf.retrieval.manifest import write_manifest
from mgtl_tf.retrieval.places import Place
from mgtl_tf.retrieval.sources import FileSource
from mgtl_tf.retrieval.sources import ImageSource
from mgtl_tf.retrieval.sources import LeftOut
from mgtl_tf.retrieval.sources import NoData
from mgtl_tf.retrieval.unfinished import JOURNAL
from mgtl_tf.retrieval.unfinished import Gap
from mgtl_tf.retrieval.unfinished import Unfinished
from mgtl_tf.retrieval.unfinished import discard
from mgtl_tf.retrieval.unfinished import unfinished_folder


class SatelliteEncoder(Protocol):
    """What building needs of `encoder.Encoder`."""

    model_hash: str
    dimension: int

    def encode_satellite(self, images: Sequence[bytes]) -> np.ndarray:
        """Encoded images to descriptors [B, D]."""


@dataclass(frozen=True)
class Skipped:
    """An image that is not in the index, and why."""

    image: Path
    reason: str


@dataclass(frozen=True)
class Built:
    """What became of the candidates.

    Attributes:
        count: N, places of the index.
        skipped: those that should have been in it.
        empty: how many crops were left out because the map has no data.
    """

    count: int
    skipped: tuple[Skipped, ...] = ()
    empty: int = 0


@dataclass(frozen=True)
class _Batch:
    """Candidates as they were read: numbers of those that could be."""

    count: int
    numbers: list[int]
    contents: list[bytes]
    gaps: list[Gap]


def build_index(
    encoder: SatelliteEncoder,
    places: Sequence[Place] | ImageSource,
    output_dir: Path | str,
    batch_size: int = 32,
    progress: bool = True,
    preprocessing: Mapping[str, Any] | None = None,
    restart: bool = False,
    may_be_empty: bool = False,
) -> Built:
    """Writes an index of all places whose image can be had.

    Descriptors go to disk batch by batch, so that a gallery of any size
    fits into memory. An index that was begun by the same call is gone on
    with.

    Args:
        encoder: gives the descriptors.
        places: the images, in the order of the index.
        output_dir: a new or empty folder, or an older index.
        batch_size: B, images encoded together.
        progress: whether a progress bar is shown on stderr.
        preprocessing: how the model sees an image; kept in the index.
        restart: whether what was begun is removed first.
        may_be_empty: whether an index of no place is one (a shard's).

    Raises:
        UserError: where output_dir holds other files, what was begun is of
            another model or other images, no image at all could be had, or
            the disk does not take it. An older index is then as it was.
    """
    source: ImageSource = (
        FileSource(places) if isinstance(places, Sequence) else places
    )
    require_replaceable(output_dir, INDEX_JSON)
    # Absolute: "." has no name to put another beside.
    final = Path(os.path.abspath(output_dir))
    folder = unfinished_folder(final)
    plan = {
        "model": encoder.model_hash,
        **source.describe(),
        "files' state": source.stamp(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder, "index"):
            if restart:
                discard(folder)
            with closing(
                Unfinished(folder, plan, encoder.dimension)
            ) as growing:
                _grow(growing, source, encoder, batch_size, progress)
                return _finish(
                    growing, source, final, encoder, preprocessing, may_be_empty
                )
    except OSError as error:
        raise unwritable(output_dir, error) from error


def _grow(
    growing: Unfinished,
    source: ImageSource,
    encoder: SatelliteEncoder,
    batch_size: int,
    progress: bool,
) -> None:
    with tqdm(
        total=len(source),
        initial=growing.done,
        unit="image",
        desc="index",
        disable=not progress,
        dynamic_ncols=True,
    ) as bar:
        for batch in _batches(growing, source, batch_size):
            rows, refused = _encode(encoder, batch)
            gaps = sorted(batch.gaps + refused, key=lambda gap: gap.number)
            growing.append(batch.count, rows, gaps)
            bar.update(batch.count)


def _batches(
    growing: Unfinished, source: ImageSource, batch_size: int
) -> Iterator[_Batch]:
    """Batches of what is left, each read while the one before is encoded."""
    starts = range(growing.done, len(source), batch_size)
    parts = [range(s, min(s + batch_size, len(source))) for s in starts]
    with ThreadPoolExecutor(1) as reader:
        ahead = None
        for part in [*parts, None]:
            ready = ahead
            if part is not None:
                ahead = reader.submit(_read, source, part, growing.folder)
            if ready is not None:
                yield ready.result()


def _read(source: ImageSource, numbers: range, folder: Path) -> _Batch:
    batch = _Batch(len(numbers), [], [], [])
    for number in numbers:
        try:
            batch.contents.append(source.load(number, folder))
            batch.numbers.append(number)
        except LeftOut as error:
            expected = isinstance(error, NoData)
            batch.gaps.append(Gap(number, str(error), expected))
    return batch


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


def _finish(
    growing: Unfinished,
    source: ImageSource,
    final: Path,
    encoder: SatelliteEncoder,
    preprocessing: Mapping[str, Any] | None,
    may_be_empty: bool,
) -> Built:
    """Gives the index its places, its manifest and its name."""
    built = _summary(growing, source, final)
    if not growing.kept and not may_be_empty:
        discard(growing.folder)
        growing.folder.rmdir()
        raise UserError(_nothing(len(source), built))
    gaps = {gap.number for gap in growing.gaps}
    places = (
        source.place(number, final)
        for number in range(len(source))
        if number not in gaps
    )
    growing.finish_rows()
    write_manifest(
        growing.folder,
        places,
        final,
        encoder.model_hash,
        preprocessing,
        source.describe(),
    )
    for name in COLUMN_FILES:
        sync(growing.folder / name)
    if (growing.folder / "crops").is_dir():
        os.sync()  # Many small files: one by one takes longer than cutting.
    swap_folder(growing.folder, final)
    # Last: until the folder has its name, a kill loses nothing.
    (final / JOURNAL).unlink()
    return built


def _summary(growing: Unfinished, source: ImageSource, final: Path) -> Built:
    skipped = tuple(
        Skipped(source.place(gap.number, final).image, gap.reason)
        for gap in growing.gaps
        if not gap.expected
    )
    empty = len(growing.gaps) - len(skipped)
    return Built(growing.kept, skipped, empty)


def _nothing(count: int, built: Built) -> str:
    if built.skipped:
        first = built.skipped[0]
        return (
            f"none of {count} images can be indexed; the first,"
            f" {first.image}: {first.reason}"
        )
    return (
        f"--images: the map has no data under any of {count} crops; give a"
        " smaller --crop_metres or another map"
    )
