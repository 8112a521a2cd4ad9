"""index.json: what a gallery folder says of itself, with its checksums."""

from __future__ import annotations

import dataclasses
import datetime
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from mgtl_tf.retrieval.galleries.checksums import (
    BlockChecksums,
    block_checksums,
    check_blocks,
)
from mgtl_tf.retrieval.galleries.columns import COLUMN_FILES, write_columns
from mgtl_tf.retrieval.galleries.other_ids import (
    OTHER_ID_FILES,
    write_other_ids,
)
from mgtl_tf.retrieval.galleries.places import Place
from mgtl_tf.utils.array_files import map_array
from mgtl_tf.utils.atomic_io import INDEX_JSON, atomic_write
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json, sealed_text
from mgtl_tf.utils.plain_files import damaged

DESCRIPTORS = "descriptors.npy"
"""float32 [N, D], unit vectors."""

FILES = (DESCRIPTORS, *COLUMN_FILES)
"""All that an index consists of, besides index.json."""

_FORMAT = 2
_REMEDY = "build it with experiments.index"


@dataclass(frozen=True)
class Manifest:
    """What index.json says.

    Attributes:
        model_hash: of the model that made the descriptors.
        image_count: N.
        dimension: D.
        preprocessing: how the model sees an image: as in model.json.
        files: what `block_checksums` said of each of FILES, and of
            OTHER_ID_FILES where places have further ids.
        made_of: of a shard or of an index that was cut from a map: what
            tells it from others; see `unfinished.Plan`.
    """

    model_hash: str
    image_count: Annotated[int, Field(ge=0)]
    dimension: Annotated[int, Field(gt=0)]
    preprocessing: dict[str, Any]
    files: dict[str, BlockChecksums]
    made_of: dict[str, Any]

    @property
    def other_id_files(self) -> tuple[str, ...]:
        """The files of its further ids; none where it has none."""
        return tuple(name for name in OTHER_ID_FILES if name in self.files)

    def check(self, folder: Path, everything: bool = False) -> None:
        """Compares the files with their checksums.

        Args:
            folder: where they lie.
            everything: whether all of a large file is read.

        Raises:
            UserError: naming the first that is missing or damaged.
        """
        for name in (*FILES, *self.other_id_files):
            wrong = check_blocks(folder / name, self.files[name], everything)
            if wrong:
                raise UserError(f"{folder / name}: {wrong}; {_REMEDY} again")


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
    image_name = _ImageNames(final)
    others: list[tuple[str, int]] = []

    def rows() -> Iterator[tuple[str, str, tuple[float, float] | None]]:
        for row, place in enumerate(places):
            others.extend((name, row) for name in place.other_ids)
            yield place.id, image_name(place.image), place.coordinates

    count = write_columns(folder, rows())
    files = (*FILES, *write_other_ids(folder, others))
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
            for name in files
        },
    }
    atomic_write(folder / INDEX_JSON, sealed_text(manifest))


def read_manifest(folder: Path) -> Manifest:
    """What the folder's index.json says.

    Raises:
        UserError: where it is damaged or of an older version.
    """
    path, remedy = folder / INDEX_JSON, f"{_REMEDY} again"
    manifest = read_json(
        path, Manifest, remedy, sealed=True, version=_FORMAT, largest=2**30
    )
    for name in FILES:
        if name not in manifest.files:
            raise damaged(path, f"lacks the checksums of {name}", remedy)
    return manifest


class _ImageNames:
    """Names of images, relative where both may be moved together.

    Where image and index share no folder but the root, moving one does not
    move the other, and the path is absolute. Each folder is resolved once.
    """

    def __init__(self, final: Path):
        self._final = final.resolve()
        self._folders: dict[Path, str] = {}

    def __call__(self, image: Path) -> str:
        if image.parent not in self._folders:
            self._folders[image.parent] = self._folder(image.parent.resolve())
        return os.path.join(self._folders[image.parent], image.name)

    def _folder(self, folder: Path) -> str:
        above = {folder, *folder.parents}
        if self._final in above or len(above & {*self._final.parents}) > 1:
            return os.path.relpath(folder, self._final)
        return str(folder)
