"""Reader of an unmodified CVACT download.

On disk: ACT_data.mat (panoIds; utm; one-based trainSet.trainInd and
valSet.valInd), ANU_data_small/streetview/ID_grdView.jpg and
ANU_data_small/satview_polish/ID_satView_polish.jpg.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from mgtl_tf.data.cvusa import find_root
from mgtl_tf.data.geodesy import from_utm
from mgtl_tf.data.records import Dataset
from mgtl_tf.data.records import Pair
from mgtl_tf.data.records import count_note
from mgtl_tf.errors import UserError

PUBLISHED = {"training": 35_532, "validation": 8_884}
KNOWN_MISSING = "1LqOHPdTiBbRucz-jFOSbQ"
"""The one training pair that the published tables list without files."""

_MARKER = Path("ACT_data.mat")
_IMAGES = Path("ANU_data_small")


def read_cvact(root: Path | str) -> Dataset:
    """Training and validation pairs of a folder in CVACT's layout.

    Positions are UTM in float64 (float32 would round Canberra's northings
    to half a metre), coordinates their latitude and longitude.

    Args:
        root: the folder that holds ACT_data.mat and ANU_data_small/.

    Raises:
        UserError: for a missing or unreadable table, an index outside it,
            or a listed file that does not exist (but KNOWN_MISSING).
    """
    root = find_root(Path(root), _MARKER)
    path = root / _MARKER
    table = _load(path)
    ids = [str(name).strip() for name in np.atleast_1d(table["panoIds"])]
    utm = np.atleast_2d(np.asarray(table["utm"], dtype=np.float64))
    if utm.shape != (len(ids), 2) or not np.isfinite(utm).all():
        raise UserError(
            f"{path}: utm {list(utm.shape)} is not two finite numbers for each"
            f" of {len(ids)} panoIds"
        )
    coordinates = from_utm(utm)
    splits, notes = {}, []
    for name, field, index in (
        ("training", "trainSet", "trainInd"),
        ("validation", "valSet", "valInd"),
    ):
        rows = _rows(table, field, index, len(ids), path)
        kept = [r for r in rows if not _is_known_missing(root, ids[r])]
        if len(kept) < len(rows):
            notes.append(f"{KNOWN_MISSING} is left out: known to lack files")
        pairs = [_pair(root, ids[r], utm[r], coordinates[r]) for r in kept]
        splits[name] = tuple(pairs)
        notes += count_note(name, len(rows), PUBLISHED[name])
    return Dataset(
        "cvact", splits["training"], splits["validation"], tuple(notes)
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        table = scipy.io.loadmat(path, simplify_cells=True)
    except Exception as error:  # scipy raises many kinds on broken files
        raise UserError(
            f"{path}: not a readable MATLAB file ({error})"
        ) from None
    for field in ("panoIds", "utm", "trainSet", "valSet"):
        if field not in table:
            raise UserError(f"{path}: holds no field {field}")
    return table


def _rows(
    table: dict[str, Any], field: str, index: str, count: int, path: Path
) -> list[int]:
    """Zero-based rows of a split."""
    if index not in table[field]:
        raise UserError(f"{path}: {field} holds no {index}")
    ones = np.atleast_1d(table[field][index]).astype(np.int64)
    outside = (ones < 1) | (ones > count)
    if outside.any():
        raise UserError(
            f"{path}: {field}.{index} row {outside.argmax() + 1} is"
            f" {ones[outside.argmax()]}, outside 1..{count}"
        )
    return (ones - 1).tolist()


def _files(root: Path, name: str) -> tuple[Path, Path]:
    folder = root / _IMAGES
    return (
        folder / "streetview" / f"{name}_grdView.jpg",
        folder / "satview_polish" / f"{name}_satView_polish.jpg",
    )


def _is_known_missing(root: Path, name: str) -> bool:
    return name == KNOWN_MISSING and not any(
        path.is_file() for path in _files(root, name)
    )


def _pair(
    root: Path, name: str, utm: np.ndarray, coordinates: np.ndarray
) -> Pair:
    ground, aerial = _files(root, name)
    for path in (ground, aerial):
        if not path.is_file():
            raise UserError(
                f"{path}: listed in {root / _MARKER} but does not exist"
            )
    east, north = utm.tolist()
    latitude, longitude = coordinates.tolist()
    return Pair(name, ground, aerial, (east, north), (latitude, longitude))
