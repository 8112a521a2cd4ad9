"""index.json: what a gallery folder says of itself, with its checksums."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from mgtl_tf.galleries.place_table import (
    FURTHER_FILES,
    PLACE_FILES,
    write_places,
)
from mgtl_tf.galleries.places import Place
from mgtl_tf.utils.array_files import map_array
from mgtl_tf.utils.atomic_io import INDEX_JSON, atomic_write
from mgtl_tf.utils.checksums import (
    BlockChecksums,
    block_checksums,
    check_blocks,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json, sealed_text
from mgtl_tf.utils.plain_files import damaged

DESCRIPTORS = "descriptors.npy"
"""float32 [N, D]."""

FILES = (DESCRIPTORS, *PLACE_FILES)
"""All that an index consists of, besides index.json."""

REMEDY = "build it with experiments.index"
_FORMAT = 3


@dataclass(frozen=True)
class Manifest:
    """What index.json holds.

    Attributes:
        model_hash: of the model that made the descriptors.
        image_count: N.
        dimension: D.
        preprocessing: how the model sees an image, and how its descriptors
            are compared: as in model.json.
        files: checksums of FILES, and of those of FURTHER_FILES that it has.
        made_of: what it was made of; see `ImageSource.describe`.
    """

    model_hash: str
    image_count: Annotated[int, Field(ge=0)]
    dimension: Annotated[int, Field(gt=0)]
    preprocessing: dict[str, Any]
    files: dict[str, BlockChecksums]
    made_of: dict[str, Any]

    @property
    def file_names(self) -> tuple[str, ...]:
        """FILES, and those of FURTHER_FILES that it has."""
        return (*FILES, *(n for n in FURTHER_FILES if n in self.files))

    def check(self, folder: Path, everything: bool = False) -> None:
        """Compares the files with their checksums.

        Args:
            folder: where they lie.
            everything: whether all of a large file is read.

        Raises:
            UserError: naming the first that is missing or damaged.
        """
        for name in self.file_names:
            wrong = check_blocks(folder / name, self.files[name], everything)
            if wrong:
                raise UserError(f"{folder / name}: {wrong}; {REMEDY} again")


def write_manifest(
    folder: Path,
    places: Iterable[Place],
    final: Path,
    model_hash: str,
    preprocessing: Mapping[str, Any] | None = None,
    made_of: Mapping[str, Any] | None = None,
) -> None:
    """Writes the places' columns and index.json beside descriptors.npy.

    Args:
        folder: where the files go; descriptors.npy is already there.
        places: of the rows of descriptors.npy, read once.
        final: the folder's later name; images' paths are relative to it.
        model_hash: of the model that made the descriptors.
        preprocessing, made_of: see `Manifest`.

    Raises:
        ValueError: where there are more or fewer places than rows.
        UserError, OSError: where the disk does not take it.
    """
    count, columns = write_places(folder, places, final)
    matrix = map_array(folder / DESCRIPTORS)
    if len(matrix) != count:
        raise ValueError(f"{count} places for {len(matrix)} descriptors")
    now = datetime.datetime.now(datetime.UTC)
    manifest = {
        "format": _FORMAT,
        "created": now.isoformat("T", "seconds"),
        "model_hash": model_hash,
        "image_count": count,
        "dimension": matrix.shape[1],
        "preprocessing": dict(preprocessing or {}),
        "made_of": dict(made_of or {}),
        "files": {
            name: dataclasses.asdict(block_checksums(folder / name))
            for name in (DESCRIPTORS, *columns)
        },
    }
    atomic_write(folder / INDEX_JSON, sealed_text(manifest))


def read_manifest(folder: Path) -> Manifest:
    """What the folder's index.json says.

    Raises:
        UserError: where it is damaged or of an older version.
    """
    path, remedy = folder / INDEX_JSON, f"{REMEDY} again"
    manifest = read_json(
        path, Manifest, remedy, sealed=True, version=_FORMAT, largest=2**30
    )
    for name in FILES:
        if name not in manifest.files:
            raise damaged(path, f"lacks the checksums of {name}", remedy)
    return manifest
