"""Where a gallery's images come from: files, or several sources."""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mgtl_tf.galleries.places import Place
from polar.image_files import read_image

# Each may hold an image of the most pixels that are read.
_MOST_THREADS = 4


class LeftOut(Exception):
    """An image that can't be indexed; the message says why, in a phrase."""


class NoData(LeftOut):
    """The map is empty there."""


class ImageSource(Protocol):
    """N candidates for a gallery, in an order that never changes."""

    @property
    def threads(self) -> int:
        """How many threads may call `load` at the same time."""

    def __len__(self) -> int:
        """N."""

    def place(self, number: int, folder: Path) -> Place:
        """One of them; `folder` is the index's, where crops are kept."""

    def load(self, number: int, folder: Path) -> tuple[np.ndarray, int]:
        """Its pixels, RGB uint8 [h, w, 3], and how many a map lacked of them.

        A crop is also written as a file. Of processes with the same source,
        any may be asked.

        Raises:
            LeftOut: where there is none.
            OSError: where the folder does not take it.
        """

    def count_filled(self, number: int, missing: int) -> None:
        """Counts, for `notes`, that so many pixels were filled in."""

    def describe(self) -> dict[str, Any]:
        """Plain values that identify it on every machine."""

    def stamp(self) -> str:
        """Identifies the state of its files on this machine."""

    def notes(self) -> list[str]:
        """What was ignored or filled in, a line each."""


class FileSource:
    """Image files, decoded as everywhere; a damaged one is left out.

    Args:
        places: in the order of the index.
    """

    threads = min(_MOST_THREADS, os.cpu_count() or 1)

    def __init__(self, places: Sequence[Place]):
        self._places = places
        self._stats = [_stat(place.image) for place in places]

    def __len__(self) -> int:
        return len(self._places)

    def place(self, number: int, folder: Path) -> Place:
        """See `ImageSource`."""
        return self._places[number]

    def load(self, number: int, folder: Path) -> tuple[np.ndarray, int]:
        """See `ImageSource`."""
        try:
            return read_image(self._places[number].image), 0
        except OSError as error:
            raise LeftOut(error.strerror or str(error)) from error
        except ValueError as error:
            raise LeftOut(str(error)) from error

    def count_filled(self, number: int, missing: int) -> None:
        """See `ImageSource`; files lack nothing."""

    def describe(self) -> dict[str, Any]:
        """Ids, coordinates and sizes, as a checksum."""
        files = zip(self._places, self._stats, strict=True)
        content = (
            repr((p.id, p.coordinates, size, *p.other_ids, *_side(p)))
            for p, (size, _) in files
        )
        return {"images": len(self), "files": digest(content)}

    def stamp(self) -> str:
        """Paths and times, as a checksum."""
        files = zip(self._places, self._stats, strict=True)
        return digest(f"{place.image}\n{stat}" for place, stat in files)

    def notes(self) -> list[str]:
        """See `ImageSource`."""
        count, notes = len(self), []
        if joined := sum(len(place.other_ids) for place in self._places):
            notes.append(
                f"{joined:,} of {count + joined:,} are images that are there"
                " already: a gallery holds each once, and their ids lead to it"
            )
        unknown = sum(place.coordinates is None for place in self._places)
        if 0 < unknown < count:
            have = "has" if unknown == 1 else "have"
            notes.append(f"{unknown:,} of {count:,} places {have} no position")
        return notes


def _side(place: Place) -> list[float]:
    return [] if place.side_metres is None else [place.side_metres]


def digest(texts: Iterable[str]) -> str:
    """A short checksum of lines, paths among them."""
    content = hashlib.sha256()
    for text in texts:
        content.update(os.fsencode(f"{text}\n"))
    return content.hexdigest()[:16]


def _stat(path: Path) -> tuple[int, int]:
    """Size and time of a file; -1 where they are unknown."""
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


class JoinedSource:
    """Several sources, one after the other.

    Args:
        sources: at least one.
    """

    def __init__(self, sources: Sequence[ImageSource]):
        self._sources = sources
        self._ends = list(accumulate(len(source) for source in sources))
        self.threads = min(source.threads for source in sources)

    def __len__(self) -> int:
        return self._ends[-1]

    def _find(self, number: int) -> tuple[ImageSource, int]:
        which = bisect_right(self._ends, number)
        first = self._ends[which - 1] if which else 0
        return self._sources[which], number - first

    def place(self, number: int, folder: Path) -> Place:
        """See `ImageSource`."""
        source, own = self._find(number)
        return source.place(own, folder)

    def load(self, number: int, folder: Path) -> tuple[np.ndarray, int]:
        """See `ImageSource`."""
        source, own = self._find(number)
        return source.load(own, folder)

    def count_filled(self, number: int, missing: int) -> None:
        """See `ImageSource`."""
        source, own = self._find(number)
        source.count_filled(own, missing)

    def describe(self) -> dict[str, Any]:
        """Of all sources, numbered."""
        return {
            f"{name} ({number})": value
            for number, source in enumerate(self._sources, 1)
            for name, value in source.describe().items()
        }

    def stamp(self) -> str:
        """Of all sources."""
        return " ".join(source.stamp() for source in self._sources)

    def notes(self) -> list[str]:
        """Of all sources."""
        return [note for source in self._sources for note in source.notes()]
