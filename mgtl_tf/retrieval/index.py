"""A gallery on disk: descriptors, places, and a manifest that ties them.

An index folder holds `descriptors.npy` (float32 [N, D]), `places.csv` (id,
image, latitude, longitude, one line a row of descriptors) and `index.json`
(model hash, counts, checksums, when it was made). It is written under
another name and renamed, so that an index is whole or not there.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.errors import UserError
from mgtl_tf.folders import INDEX_JSON
from mgtl_tf.retrieval.places import Place

_DESCRIPTORS = "descriptors.npy"
_PLACES = "places.csv"
_COLUMNS = ("id", "image", "latitude", "longitude")


@dataclass(frozen=True)
class Index:
    """A gallery, ready to be searched.

    Attributes:
        folder: where it lies.
        places: of the N rows, images as paths that can be opened.
        descriptors: float32 [N, D] unit vectors, mapped from the file.
        model_hash: of the model that made the descriptors.
    """

    folder: Path
    places: list[Place]
    descriptors: np.ndarray
    model_hash: str

    def require_model(self, model_hash: str, model: Path | str) -> None:
        """Refuses a model whose descriptors do not compare with these.

        Raises:
            UserError: naming both.
        """
        if model_hash != self.model_hash:
            raise UserError(
                f"--gallery={self.folder}: was built with another model than"
                f" --model={model} ({self.model_hash[:12]}, not"
                f" {model_hash[:12]}); build it again with experiments.index"
            )


def write_manifest(
    folder: Path, places: Sequence[Place], final: Path, model_hash: str
) -> None:
    """Writes places.csv and index.json beside descriptors.npy.

    Args:
        folder: where the files go; descriptors.npy is already there.
        places: of the rows of descriptors.npy.
        final: the folder's later name; image paths are relative to it.
        model_hash: of the model that made the descriptors.
    """
    with (folder / _PLACES).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for place in places:
            # repr of a float reads back as the same float.
            where = [repr(x) for x in place.coordinates or ()] or ["", ""]
            image = _image_name(place.image, final)
            writer.writerow([place.id, image, *where])
    matrix = np.load(folder / _DESCRIPTORS, mmap_mode="r", allow_pickle=False)
    manifest = {
        "format": 1,
        "created": datetime.datetime.now(datetime.UTC).isoformat(
            "T", "seconds"
        ),
        "model_hash": model_hash,
        "image_count": len(places),
        "dimension": matrix.shape[1],
        "sha256": {n: _checksum(folder / n) for n in (_DESCRIPTORS, _PLACES)},
    }
    text = json.dumps(manifest, indent=2) + "\n"
    (folder / INDEX_JSON).write_text(text)


def load_index(folder: Path | str) -> Index:
    """Opens an index and verifies every byte of it.

    Raises:
        UserError: where it is missing, incomplete or damaged.
    """
    folder = Path(folder)
    remedy = "build it with experiments.index"
    if not (folder / INDEX_JSON).is_file():
        missing = "holds no index.json" if folder.is_dir() else "no such folder"
        raise UserError(f"--gallery={folder}: {missing}; {remedy}")
    manifest = _read_manifest(folder / INDEX_JSON)
    for name, expected in manifest["sha256"].items():
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: missing; {remedy} again")
        if _checksum(folder / name) != expected:
            raise UserError(
                f"{folder / name}: damaged (not what index.json was written"
                f" for); {remedy} again"
            )
    descriptors = np.load(
        folder / _DESCRIPTORS, mmap_mode="r", allow_pickle=False
    )
    places = _read_places(folder)
    shape = (manifest["image_count"], manifest["dimension"])
    if descriptors.shape != shape or len(places) != len(descriptors):
        raise UserError(
            f"{folder}: {len(places)} places, descriptors"
            f" {descriptors.shape} and index.json {shape} do not fit; {remedy}"
            " again"
        )
    return Index(folder, places, descriptors, manifest["model_hash"])


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text())
        sums = {n: manifest["sha256"][n] for n in (_DESCRIPTORS, _PLACES)}
        return {
            "sha256": sums,
            "model_hash": str(manifest["model_hash"]),
            "image_count": int(manifest["image_count"]),
            "dimension": int(manifest["dimension"]),
        }
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: damaged ({error}); build it with experiments.index again"
        ) from error


def _read_places(folder: Path) -> list[Place]:
    places = []
    with (folder / _PLACES).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            known = row["latitude"] != ""
            places.append(
                Place(
                    row["id"],
                    Path(os.path.normpath(folder / row["image"])),
                    (float(row["latitude"]), float(row["longitude"]))
                    if known
                    else None,
                )
            )
    return places


def _image_name(image: Path, final: Path) -> str:
    """Relative to the index where both may be moved together.

    Where the two share no folder but the root, moving one does not move the
    other, and the path is absolute.
    """
    image, final = image.resolve(), final.resolve()
    shared = set(image.parents) & set(final.parents)
    if len(shared) <= 1:
        return str(image)
    return os.path.relpath(image, final)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
