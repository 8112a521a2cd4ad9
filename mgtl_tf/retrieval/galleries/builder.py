"""Building a gallery index: every aerial image through the model, once.

The index grows beside its final name (`growing.py`). After a kill the same
call resumes from the last finished batch and ends in the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mgtl_tf.retrieval.galleries.embedding import SatelliteEncoder, embedded
from mgtl_tf.retrieval.galleries.growing import (
    GrowingGallery,
    discard,
    unfinished_folder,
)
from mgtl_tf.retrieval.galleries.manifest import write_manifest
from mgtl_tf.retrieval.galleries.places import Place
from mgtl_tf.retrieval.galleries.sources import FileSource, ImageSource
from mgtl_tf.utils.atomic_folders import (
    folder_lock,
    require_replaceable,
    swap_folder,
)
from mgtl_tf.utils.atomic_io import INDEX_JSON, unwritable
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.part_files import UNFINISHED_JSONL


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
    fits into memory. An index that the same call began is resumed.

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
    # "." has no name to put another beside; a link stays a link.
    final = Path(os.path.realpath(output_dir))
    folder = unfinished_folder(final)
    plan = {
        "model": encoder.model_hash,
        **source.describe(),
        "files": source.stamp(),
    }
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with folder_lock(output_dir):
            folder.mkdir(exist_ok=True)
            if restart:
                discard(folder)
            with closing(
                GrowingGallery(folder, plan, encoder.dimension)
            ) as growing:
                _grow(growing, source, encoder, batch_size, progress)
                return _finish(
                    growing, source, final, encoder, preprocessing, may_be_empty
                )
    except OSError as error:
        raise unwritable(output_dir, error) from error


def _grow(
    growing: GrowingGallery,
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
        for batch in embedded(
            encoder, source, growing.done, batch_size, growing.folder
        ):
            growing.append(batch.count, batch.rows, batch.gaps)
            bar.update(batch.count)


def _finish(
    growing: GrowingGallery,
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
    if (growing.folder / "crops").is_dir():
        os.sync()  # Many small files: one by one takes longer than cutting.
    swap_folder(growing.folder, final)
    # Last: until the folder has its name, a kill loses nothing.
    (final / UNFINISHED_JSONL).unlink()
    return built


def _summary(
    growing: GrowingGallery, source: ImageSource, final: Path
) -> Built:
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
        f"the map has no data under any of {count} crops, or too little; give"
        " a larger most_missing, a smaller crop_metres or another map"
    )
