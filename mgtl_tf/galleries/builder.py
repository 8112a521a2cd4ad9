"""Building a gallery index: every aerial image through the model, once.

The index grows beside its final name (`growing.py`). After a kill the same
call resumes from the last finished batch and ends in the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mgtl_tf.galleries.encoding import (
    Encoded,
    SatelliteEncoder,
    batches_of,
    encoded_batches,
)
from mgtl_tf.galleries.growing import (
    GrowingGallery,
    discard,
    unfinished_folder,
)
from mgtl_tf.galleries.manifest import write_manifest
from mgtl_tf.galleries.places import Place
from mgtl_tf.galleries.sources import FileSource, ImageSource
from mgtl_tf.utils.atomic_folders import (
    folder_lock,
    require_replaceable,
    swap_folder,
)
from mgtl_tf.utils.atomic_io import INDEX_JSON, unwritable
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.part_files import UNFINISHED_JSONL

EncodeBatches = Callable[[Path, Sequence[range]], Iterator[Encoded]]
"""The index's folder and numbers of candidates to their descriptors."""


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
    encode: EncodeBatches | None = None,
) -> Built:
    """Writes an index of all places whose image can be read.

    Descriptors go to disk batch by batch, so that a gallery of any size
    fits into memory. An index that the same call began is resumed.

    Args:
        encoder: gives the descriptors.
        places: the images, in the order of the index.
        output_dir: a new or empty folder, or an older index.
        batch_size: B, images encoded together.
        progress: whether a progress bar is shown on stderr.
        preprocessing: how the model sees an image; kept in the index.
        restart: whether an unfinished index is removed first.
        encode: encodes batches elsewhere; by default here, by `encoder`.

    Raises:
        UserError: where output_dir holds other files, an unfinished index
            is of another model or other images, no image can be read, or the
            disk does not take it. An older index is then as it was.
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
        "file_state": source.stamp(),
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
                encode = encode or partial(encoded_batches, encoder, source)
                _grow(growing, source, encode, batch_size, progress)
                return _finish(growing, source, final, encoder, preprocessing)
    except OSError as error:
        raise unwritable(output_dir, error) from error


def _grow(
    growing: GrowingGallery,
    source: ImageSource,
    encode: EncodeBatches,
    batch_size: int,
    progress: bool,
) -> None:
    """Encodes what is missing."""
    batches = batches_of(growing.done, len(source), batch_size)
    with tqdm(
        total=len(source),
        initial=growing.done,
        unit="image",
        desc="index",
        disable=not progress,
        dynamic_ncols=True,
    ) as bar:
        for batch, found in zip(
            batches, encode(growing.folder, batches), strict=True
        ):
            growing.append(found.rows, found.gaps)
            for number, missing in found.filled.items():
                source.count_filled(number, missing)
            bar.update(len(batch))


def _finish(
    growing: GrowingGallery,
    source: ImageSource,
    final: Path,
    encoder: SatelliteEncoder,
    preprocessing: Mapping[str, Any] | None,
) -> Built:
    """Gives the index its places, its manifest and its name."""
    skipped = tuple(
        Skipped(source.place(gap.number, final).image, gap.reason)
        for gap in growing.gaps
        if not gap.expected
    )
    if not growing.kept:
        discard(growing.folder)
        growing.folder.rmdir()
        if skipped:
            raise UserError(
                f"none of {len(source)} images can be indexed; the first,"
                f" {skipped[0].image}: {skipped[0].reason}"
            )
        raise UserError(
            f"the map has no data under any of {len(source)} crops, or too"
            " little; give a larger most_missing, a smaller crop_metres or"
            " another map"
        )
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
    return Built(growing.kept, skipped, len(growing.gaps) - len(skipped))
