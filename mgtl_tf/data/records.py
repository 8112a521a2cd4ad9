"""What a data set is: pairs of files with, perhaps, a position."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Pair:
    """A panorama and the aerial image of the same place.

    `position` is Cartesian, in metres (two or three numbers, float64), so
    that the Euclidean distance of two positions is the distance of their
    places; `coordinates` are latitude and longitude in degrees. Both are
    None where the data set does not tell. `row` is where its split's own
    list names it, from 1 on.
    """

    id: str
    ground: Path
    aerial: Path
    position: tuple[float, ...] | None = None
    coordinates: tuple[float, float] | None = None
    row: int = 0


@dataclass(frozen=True)
class Dataset:
    """Both splits, in the order of the data set's own lists.

    `notes` are lines that a user should see: what is smaller than
    published, or known to be missing.
    """

    name: str
    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    notes: tuple[str, ...] = ()


def positions(pairs: Sequence[Pair]) -> np.ndarray | None:
    """Positions in metres, float64 [N, 2 or 3]; None unless all are known."""
    known = [p.position for p in pairs if p.position is not None]
    if not known or len(known) != len(pairs):
        return None
    return np.array(known, dtype=np.float64)


def coordinates(pairs: Sequence[Pair]) -> np.ndarray | None:
    """Latitudes and longitudes, degrees [N, 2]; None unless all are known."""
    known = [p.coordinates for p in pairs if p.coordinates is not None]
    if not known or len(known) != len(pairs):
        return None
    return np.array(known, dtype=np.float64)


def ids_digest(pairs: Sequence[Pair]) -> str:
    """What names these pairs in this order, wherever their files lie."""
    names = "\n".join(pair.id for pair in pairs)
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def count_note(split: str, found: int, published: int) -> tuple[str, ...]:
    """A note where a split has another size than the published one."""
    if found == published:
        return ()
    return (f"{found:,} {split} pairs (published: {published:,})",)


def shared_note(
    train: Sequence[Pair], validation: Sequence[Pair]
) -> tuple[str, ...]:
    """A note where a recall would be one of places that were trained on."""
    shared = len({p.id for p in train} & {p.id for p in validation})
    if not shared:
        return ()
    return (f"{shared:,} validation pairs are in the training split as well",)
