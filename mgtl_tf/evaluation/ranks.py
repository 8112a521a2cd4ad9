"""The rank of every query of an evaluation, from which its figures follow.

They are kept in a small .npz beside the figures, with the gallery's digest:
ranks of different galleries are not comparable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf import metrics
from mgtl_tf.evaluation.tile_ranks import summary
from mgtl_tf.utils.angles import DEGREES, less_typical, typical
from mgtl_tf.utils.array_files import read_archive
from mgtl_tf.utils.atomic_io import atomic_file
from mgtl_tf.utils.plain_files import UnfitFileError, damaged

Result = dict[str, Any]

DIRECTIONS = ("ground_to_satellite", "satellite_to_ground")
"""The reported one first (R22)."""

METRES = 25.0
"""Radius within which a first answer is counted as right."""

_HEADINGS = "signed_heading_errors"
_DISTRACTORS, _TILES = "distractors", "tiles_"
_TIES, _WITHIN = "ties", "within"


@dataclass(frozen=True)
class DirectionRanks:
    """Of the queries of one view in the gallery of the other.

    Attributes:
        place: rank of each query's nearest right row, int [Q], from 1; ties
            count against the model (R20).
        ties: with how many wrong rows that one ties, int [Q].
        within: whether the first answer lies within `metres`, bool [n], of
            the n queries of known position; None without positions.
    """

    place: np.ndarray
    ties: np.ndarray
    within: np.ndarray | None = None


@dataclass(frozen=True)
class Ranks:
    """Of one evaluation.

    Attributes:
        gallery: `records.files_digest` of the pairs.
        forth: of the panoramas, [Q], in the distinct aerial images.
        back: of the distinct aerial images of panoramas, in these.
        metres: what "within" means.
        distractors: images of the gallery that are of no panorama.
        tiles: of overlapping aerial images (VIGOR), by the names of
            `tile_ranks.measure_tiles`; None of others.
        heading_errors: degrees by which the heading that a panorama's own
            aerial image gives it lies clockwise of the true one, [Q], -180 to
            below 180; None of systems that search for none.
    """

    gallery: str
    forth: DirectionRanks
    back: DirectionRanks
    metres: float = METRES
    heading_errors: np.ndarray | None = None
    distractors: int = 0
    tiles: Mapping[str, np.ndarray] | None = None

    @property
    def places(self) -> int:
        """N, distinct aerial images of the gallery."""
        return len(self.back.place) + self.distractors

    def result(
        self,
        protocol: str,
        ks: Sequence[int | str] = metrics.DEFAULT_KS,
    ) -> Result:
        """Recall in both directions, ready for JSON.

        Args:
            protocol: its name.
            ks: as of `metrics.recall`.

        Returns:
            as of `descriptors.evaluate`.
        """
        panoramas = len(self.forth.place)
        within = self.forth.within
        return {
            "protocol": protocol,
            DIRECTIONS[0]: self._summary(self.forth, self.places, ks),
            DIRECTIONS[1]: self._summary(self.back, panoramas, ks),
            "gallery_size": self.places,
            "panoramas": panoramas,
            "with_position": 0 if within is None else len(within),
            **self._headings(),
            **self._tiles(),
        }

    def _tiles(self) -> dict[str, Any]:
        """What is measured where aerial images overlap; see `tile_ranks`."""
        found: dict[str, Any] = {}
        if self.distractors:
            found["distractors"] = self.distractors
        if self.tiles is not None:
            found["tiles"] = summary(self.tiles)
        return found

    def _headings(self) -> dict[str, Any]:
        """Of panoramas that are found first, how wrong their headings are.

        As they stand, and without the constant that is common to all: a
        training that asks for a match at any shift leaves it free.
        """
        if self.heading_errors is None:
            return {}
        errors = self.heading_errors[self.forth.place == 1]
        heading: dict[str, Any] = {"found": len(errors)}
        if len(errors):
            heading |= _nearness(errors)
            heading["constant_degrees"] = typical(errors)
            heading["without_constant"] = _nearness(less_typical(errors))
        return {"heading": heading}

    def _summary(
        self, found: DirectionRanks, size: int, ks: Sequence[int | str]
    ) -> dict[str, float | int]:
        values = metrics.summary(found.place, found.ties, size, ks)
        if found.within is not None:
            name = f"within_{self.metres:g}m"
            values[name] = float(np.mean(found.within))
        return values

    def save(self, path: Path) -> None:
        """Writes the .npz of `read_ranks`.

        Raises:
            UserError: where it cannot be written.
        """
        arrays: dict[str, np.ndarray] = {
            "gallery": np.frombuffer(self.gallery.encode(), np.uint8),
            "metres": np.array(self.metres),
        }
        for name, found in zip(
            DIRECTIONS, (self.forth, self.back), strict=True
        ):
            arrays[name] = found.place.astype(np.int32)
            arrays[f"{name}_{_TIES}"] = found.ties.astype(np.int32)
            if found.within is not None:
                arrays[f"{name}_{_WITHIN}"] = found.within
        if self.heading_errors is not None:
            arrays[_HEADINGS] = self.heading_errors
        if self.distractors:
            arrays[_DISTRACTORS] = np.array(self.distractors)
        for name, values in (self.tiles or {}).items():
            arrays[_TILES + name] = values
        write_arrays(path, arrays)


def _nearness(errors: np.ndarray) -> dict[str, float]:
    apart = np.abs(errors)
    return {
        f"within_{DEGREES:g}_degrees": float(np.mean(apart <= DEGREES)),
        "median_degrees": float(np.median(apart)),
    }


def read_ranks(path: Path, remedy: str) -> Ranks:
    """What `Ranks.save` wrote.

    Raises:
        UserError: for any other file, with the remedy.
    """
    try:
        arrays = read_archive(path, lambda name: True)
        return Ranks(
            bytes(_one(arrays, "gallery")).decode("ascii"),
            _direction(arrays, DIRECTIONS[0]),
            _direction(arrays, DIRECTIONS[1]),
            float(_one(arrays, "metres").item()),
            arrays.get(_HEADINGS),
            int(arrays.get(_DISTRACTORS, np.array(0)).item()),
            {
                name.removeprefix(_TILES): values
                for name, values in arrays.items()
                if name.startswith(_TILES)
            }
            or None,
        )
    except (UnfitFileError, ValueError) as error:
        raise damaged(path, error, remedy) from error


def _one(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise UnfitFileError(f"lacks {name}")
    return arrays[name]


def _direction(arrays: Mapping[str, np.ndarray], name: str) -> DirectionRanks:
    place, ties = _one(arrays, name), _one(arrays, f"{name}_{_TIES}")
    if place.ndim != 1 or not len(place) or place.shape != ties.shape:
        raise UnfitFileError(f"{name} has shape {place.shape}")
    if place.dtype.kind != "i" or place.min() < 1:
        raise UnfitFileError(f"{name} holds no ranks")
    return DirectionRanks(place, ties, arrays.get(f"{name}_{_WITHIN}"))


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a compressed .npz; equal arrays give equal bytes.

    Raises:
        UserError: where it cannot be written.
    """
    with atomic_file(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
