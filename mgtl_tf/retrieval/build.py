"""Building a gallery index: every aerial image through the model, once."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from typing import Protocol

import numpy as np
from tqdm import tqdm

from mgtl_tf.errors import UserError
from mgtl_tf.folders import INDEX_JSON
from mgtl_tf.folders import whole_folder
from mgtl_tf.retrieval.encoder import UnreadableImage
from mgtl_tf.retrieval.index import write_manifest
from mgtl_tf.retrieval.places import Place


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


def build_index(
    encoder: SatelliteEncoder,
    places: Sequence[Place],
    output_dir: Path | str,
    batch_size: int = 32,
    progress: bool = True,
) -> list[Skipped]:
    """Writes an index of all places whose image can be read.

    Descriptors go to disk batch by batch, so that a gallery of any size
    fits into memory.

    Args:
        encoder: gives the descriptors.
        places: in the order of the index.
        output_dir: a new or empty folder, or an older index.
        batch_size: B, images encoded together.
        progress: whether a progress bar is shown on stderr.

    Returns:
        The images that were left out; the index holds all others.

    Raises:
        UserError: where output_dir holds other files, or no image at all
            could be read; nothing is written then.
    """
    kept: list[Place] = []
    skipped: list[Skipped] = []
    final = Path(output_dir)
    with whole_folder(final, INDEX_JSON) as folder:
        with (folder / "descriptors.npy").open("w+b") as file:
            _write_header(file, 0, encoder.dimension)
            for batch in _batches(places, batch_size, progress):
                good, rows = _encode(encoder, batch, skipped)
                file.write(np.ascontiguousarray(rows, "<f4").tobytes())
                kept += good
            # NumPy leaves room for the row count to grow, so that the
            # header may be written anew over the first one.
            file.seek(0)
            _write_header(file, len(kept), encoder.dimension)
        if not kept:
            first = skipped[0]
            raise UserError(
                f"none of {len(places)} images can be indexed; the first,"
                f" {first.image}: {first.reason}"
            )
        write_manifest(folder, kept, final, encoder.model_hash)
    return skipped


def _batches(
    places: Sequence[Place], batch_size: int, progress: bool
) -> Iterator[Sequence[Place]]:
    with tqdm(
        total=len(places), unit="image", desc="index", disable=not progress
    ) as bar:
        for start in range(0, len(places), batch_size):
            batch = places[start : start + batch_size]
            yield batch
            bar.update(len(batch))


def _encode(
    encoder: SatelliteEncoder,
    batch: Sequence[Place],
    skipped: list[Skipped],
) -> tuple[list[Place], np.ndarray]:
    """The readable places of a batch and their descriptors [b, D]."""
    readable, contents = [], []
    for place in batch:
        try:
            contents.append(place.image.read_bytes())
            readable.append(place)
        except OSError as error:
            reason = error.strerror or str(error)
            skipped.append(Skipped(place.image, reason))
    empty = np.empty((0, encoder.dimension), np.float32)
    if not readable:
        return [], empty
    try:
        return readable, _checked(encoder.encode_satellite(contents))
    except UnreadableImage as error:
        if len(readable) == 1:
            skipped.append(Skipped(readable[0].image, str(error)))
            return [], empty
    # Only one by one is it known which of a batch was refused.
    parts = [_encode(encoder, [place], skipped) for place in readable]
    good = [place for places, _ in parts for place in places]
    return good, np.concatenate([rows for _, rows in parts])


def _checked(rows: np.ndarray) -> np.ndarray:
    if not np.isfinite(rows).all():
        raise UserError(
            "--model: gives descriptors that are not finite; train again or"
            " export another checkpoint"
        )
    return rows


def _write_header(file: BinaryIO, count: int, dimension: int) -> None:
    np.lib.format.write_array_header_1_0(
        file,
        {"descr": "<f4", "fortran_order": False, "shape": (count, dimension)},
    )
