"""A gallery on disk, opened.

Its folder holds `descriptors.npy` (float32 [N, D]); of the places `ids.npy`
and `images.npy` (bytes [N], paths relative to the folder) and
`coordinates.npy` (float64 [N, 2], degrees); where places have further ids,
`other_ids.npy` and `other_id_rows.npy`; where it is known what ground their
images cover, `side_metres.npy` (float64 [N]); `index.json` (model hash,
preprocessing, counts, checksums). One that was cut from a map holds the
images too, in `crops/`. Arrays are mapped, not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.galleries.manifest import (
    DESCRIPTORS,
    REMEDY,
    Manifest,
    read_manifest,
)
from mgtl_tf.galleries.place_table import (
    OTHER_IDS,
    SIDES,
    PlaceTable,
    open_places,
    read_other_ids,
)
from mgtl_tf.galleries.places import Place
from mgtl_tf.utils.array_files import map_array
from mgtl_tf.utils.atomic_io import INDEX_JSON
from mgtl_tf.utils.checksums import BLOCK_BYTES, sampled_blocks
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError, damaged
from mgtl_tf.utils.scorers import Scorer, scorer_of


@dataclass(frozen=True)
class Index:
    """A gallery, ready to be searched.

    Attributes:
        folder: where it lies.
        places: of the N rows; a gallery on disk makes each when it is asked
            for.
        descriptors: float32 [N, D], mapped from the file; unit vectors
            unless the scorer takes others.
        model_hash: of the model that made the descriptors.
        preprocessing: how that model sees an image (image_size ...), and
            "scorer", how its descriptors are compared.
        made_of: of an index that was cut from a map, how (crop_metres ...).
        other_ids: rows by further ids, of pairs that share an aerial image.
    """

    folder: Path
    places: Sequence[Place]
    descriptors: np.ndarray
    model_hash: str
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    made_of: Mapping[str, Any] = field(default_factory=dict)
    other_ids: Mapping[str, int] = field(default_factory=dict)

    @property
    def ids(self) -> Sequence[str]:
        """The places' ids, in the order of the rows."""
        if isinstance(self.places, PlaceTable):
            return self.places.ids
        return [place.id for place in self.places]

    @cached_property
    def scorer(self) -> Scorer:
        """How queries are compared with the descriptors."""
        return scorer_of(self.preprocessing.get("scorer"))

    @cached_property
    def coordinates(self) -> np.ndarray:
        """Latitude and longitude, degrees, float64 [N, 2]; NaN: unknown."""
        if isinstance(self.places, PlaceTable):
            return self.places.coordinates
        unknown = (np.nan, np.nan)
        known = [place.coordinates or unknown for place in self.places]
        return np.array(known, np.float64).reshape(-1, 2)

    @cached_property
    def sides(self) -> np.ndarray:
        """Ground that a side of each image covers, metres [N]; NaN: unknown."""
        if isinstance(self.places, PlaceTable):
            return self.places.sides
        sides = [place.side_metres or np.nan for place in self.places]
        return np.array(sides, np.float64)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}

    def row(self, place_id: str) -> int | None:
        """The row of a place by any of its ids; None where it is not there."""
        return self._rows.get(place_id, self.other_ids.get(place_id))

    def require_model(self, model_hash: str, model: Path | str) -> None:
        """Refuses a model whose descriptors do not compare with these.

        Raises:
            UserError: naming both.
        """
        if model_hash != self.model_hash:
            raise UserError(
                f"{self.folder}: was built with another model than {model}"
                f" ({self.model_hash[:12]}, not {model_hash[:12]}); {REMEDY}"
                " again"
            )


def load_index(folder: Path | str, verify: bool = False) -> Index:
    """Opens an index.

    Files up to 256 MiB are compared with their checksums wholly, of larger
    ones the size and 16 blocks of 4 MiB.

    Args:
        folder: that experiments.index wrote.
        verify: whether every byte of every file is read and compared.

    Raises:
        UserError: where it is missing, incomplete or damaged.
    """
    folder = Path(folder)
    if not (folder / INDEX_JSON).is_file():
        raise UserError(f"{folder}: {_what_is_there(folder)}")
    manifest = read_manifest(folder)
    manifest.check(folder, everything=verify)
    try:
        places = open_places(folder, SIDES in manifest.files)
        descriptors = map_array(folder / DESCRIPTORS)
        others = {}
        if OTHER_IDS in manifest.files:
            others = read_other_ids(folder, len(places))
    except UnfitFileError as error:
        raise damaged(folder, error, f"{REMEDY} again") from error
    _require_fit(folder, manifest, len(places), descriptors)
    _require_finite(folder, descriptors, verify)
    return Index(
        folder,
        places,
        descriptors,
        manifest.model_hash,
        manifest.preprocessing,
        manifest.made_of,
        others,
    )


def _what_is_there(folder: Path) -> str:
    if not folder.is_dir():
        return f"no such folder; {REMEDY}"
    return f"holds no {INDEX_JSON}; {REMEDY}"


def _require_fit(
    folder: Path, manifest: Manifest, count: int, descriptors: np.ndarray
) -> None:
    shape = (manifest.image_count, manifest.dimension)
    fits = descriptors.shape == shape and descriptors.dtype == np.float32
    if not fits or count != len(descriptors):
        raise UserError(
            f"{folder}: {count} places, descriptors {descriptors.shape}"
            f" ({descriptors.dtype}) and {INDEX_JSON} {shape} do not fit;"
            f" {REMEDY} again"
        )


def _require_finite(
    folder: Path, descriptors: np.ndarray, everything: bool
) -> None:
    """Refuses what was written with NaN or infinity, checksums and all.

    Of a large file as many rows are looked at as `check_blocks` reads.
    """
    rows = max(1, BLOCK_BYTES // max(1, descriptors[:1].nbytes))
    starts = np.arange(0, len(descriptors), rows)
    size = descriptors.nbytes
    for start in starts[sampled_blocks(len(starts), size, everything)]:
        finite = np.isfinite(descriptors[start : start + rows]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise damaged(
                folder / DESCRIPTORS,
                f"row {row} is not finite",
                f"{REMEDY} again",
            )
