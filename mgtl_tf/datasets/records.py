"""What a data set is: pairs of files with, perhaps, a position."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgtl_tf.utils.errors import UserError

HALF_SIDE_PIXELS = 320
"""Of the images that `Tiles.offsets` are counted in."""


@dataclass(frozen=True)
class AerialImage:
    """An aerial image of a gallery, whether or not a panorama shows it.

    Attributes:
        id, position, coordinates, row: as of Pair, of its centre.
        aerial: the file.
        side_metres: as of Pair.
    """

    id: str
    aerial: Path
    position: tuple[float, ...] | None = None
    coordinates: tuple[float, float] | None = None
    row: int = 0
    side_metres: float | None = None

    def as_pair(self) -> Pair:
        """It alone, for sources of `ground_form="none"`."""
        return Pair(
            self.id,
            self.aerial,
            self.aerial,
            self.position,
            self.coordinates,
            self.row,
            side_metres=self.side_metres,
        )


@dataclass(frozen=True)
class Tiles:
    """The overlapping aerial images about a panorama (VIGOR).

    Attributes:
        images: the pair's own one, the positive, then the semi-positives.
        offsets: d0, d1 of each in pixels of 640: with x to the right and y
            downwards the panorama stands at x = 320 - d1, y = 320 + d0.
        metres_per_pixel: that the offsets are counted with.
    """

    images: tuple[AerialImage, ...]
    offsets: tuple[tuple[float, float], ...]
    metres_per_pixel: float


@dataclass(frozen=True)
class Pair:
    """A panorama and the aerial image of the same place.

    Attributes:
        id: unique in its split.
        ground, aerial: the image files.
        position: Cartesian metres (two or three numbers, float64): Euclidean
            distances are the distances of places; None where unknown.
        coordinates: latitude and longitude, degrees; None where unknown.
        row: of its split's list, from 1 on.
        labels: the file of the classes of the panorama's pixels (0 sky, 1
            building, 2 road, 3 tree), which need not be there; None where the
            list names none.
        aerial_labels: the same of the aerial image.
        tiles: of data whose aerial images are not centred on panoramas.
        side_metres: ground that a side of the aerial image covers; None where
            unknown.
        world: the identity of the synthetic world that it is of, if any.
    """

    id: str
    ground: Path
    aerial: Path
    position: tuple[float, ...] | None = None
    coordinates: tuple[float, float] | None = None
    row: int = 0
    labels: Path | None = None
    aerial_labels: Path | None = None
    tiles: Tiles | None = None
    side_metres: float | None = None
    world: str = ""


@dataclass(frozen=True)
class Dataset:
    """Both splits, in the order of the data set's own lists.

    Attributes:
        name: of the data set.
        train, validation: the pairs.
        notes: lines for the user: what is smaller than published, or known
            to be missing.
        left_out: how many training and validation pairs are listed and, on
            request, not used.
        gallery: all aerial images that the validation panoramas are searched
            in, in the data set's order; empty: only those of the pairs.
        remarks: lines that stand beside every figure.
    """

    name: str
    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[int, int] = (0, 0)
    gallery: tuple[AerialImage, ...] = ()
    remarks: tuple[str, ...] = ()

    @functools.cached_property
    def distractors(self) -> tuple[Pair, ...]:
        """The gallery's images that no validation pair shows, as pairs."""
        shown = {pair.aerial for pair in self.validation}
        return tuple(i.as_pair() for i in self.gallery if i.aerial not in shown)


def positions(pairs: Sequence[Pair]) -> np.ndarray | None:
    """Positions in metres, float64 [N, 2 or 3].

    NaN in the rows of pairs without one; None where no pair has one.
    """
    return _array([pair.position for pair in pairs])


def offsets_of(pairs: Sequence[Pair]) -> np.ndarray:
    """Where each panorama stands in its aerial image, float32 [N, 2].

    d0 and d1 in half sides: d0 below the centre, d1 to the left of it.

    Raises:
        UserError: for a pair whose data set does not say.
    """
    without = next((pair for pair in pairs if pair.tiles is None), None)
    if without is not None:
        raise UserError(
            f"offset_head: nothing says where in its aerial image the panorama"
            f" of pair {without.id} stands; leave it out but for vigor"
        )
    pixels = [pair.tiles.offsets[0] for pair in pairs if pair.tiles]
    return np.array(pixels, np.float32) / HALF_SIDE_PIXELS


def aerial_positions(pairs: Sequence[Pair]) -> np.ndarray | None:
    """The same of the aerial images' centres; the pairs' where none differ."""
    centres = (p.tiles.images[0] if p.tiles else p for p in pairs)
    return _array([centre.position for centre in centres])


def _array(known: Sequence[tuple[float, ...] | None]) -> np.ndarray | None:
    axes = next((len(value) for value in known if value is not None), None)
    if axes is None:
        return None
    unknown = (float("nan"),) * axes
    return np.array([value or unknown for value in known], np.float64)


def ids_digest(pairs: Sequence[Pair]) -> str:
    """Identifies these pairs in this order, wherever their files lie."""
    names = "\n".join(pair.id for pair in pairs)
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def files_digest(*splits: Sequence[Pair]) -> str:
    """Identifies pairs by ids, positions and file sizes, wherever they lie.

    A file that is not there has no size. Pairs of a synthetic world are
    identified by its identity and their ids: the same settings draw a few
    files otherwise where a processor rounds otherwise.
    """
    digest = hashlib.sha256()
    for pairs in splits:
        digest.update(f"{len(pairs)} pairs\n".encode())
        for pair in pairs:
            line = f"{pair.id} {pair.world or _as_files(pair)}\n"
            digest.update(line.encode(errors="backslashreplace"))
    return digest.hexdigest()[:16]


def _as_files(pair: Pair) -> str:
    sizes = (_bytes(pair.ground), _bytes(pair.aerial))
    return f"{pair.position} {sizes}"


def _bytes(path: Path) -> int | None:
    try:
        return os.path.getsize(path)
    except (OSError, ValueError):
        return None


def count_note(split: str, found: int, published: int) -> tuple[str, ...]:
    """A note where a split has another size than the published one."""
    if found == published:
        return ()
    split = "training" if split == "train" else split
    return (f"{found:,} {split} pairs (published: {published:,})",)


def shared_note(
    train: Sequence[Pair], validation: Sequence[Pair]
) -> tuple[str, ...]:
    """A note where validation pairs are trained on."""
    shared = len({p.id for p in train} & {p.id for p in validation})
    if not shared:
        return ()
    return (f"{shared:,} validation pairs are in the training split as well",)


def unknown_note(split: str, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """A note where some pairs of a split have no position, and others do."""
    unknown = sum(pair.position is None for pair in pairs)
    if unknown in (0, len(pairs)):
        return ()
    have = "has" if unknown == 1 else "have"
    return (f"{unknown:,} of {len(pairs):,} {split} places {have} no position",)
