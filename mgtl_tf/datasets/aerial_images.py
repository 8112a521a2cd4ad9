"""Which pairs share an aerial image: the same file, or files of equal bytes.

A gallery is its distinct aerial images: VIGOR's kind of data shows several
panoramas of one image. Images are numbered from 0 in the order in which the
pairs first name them, so that of pairs which share none the numbers are the
rows themselves.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np

from mgtl_tf.datasets.records import Pair

_SAMPLE_BYTES = 4096
_READ_BYTES = 1 << 20


def aerial_images(pairs: Sequence[Pair]) -> np.ndarray:
    """The number of each pair's aerial image, int64 [N]; see the module."""
    return distinct_files([pair.aerial for pair in pairs])


def distinct_files(paths: Sequence[Path]) -> np.ndarray:
    """The number of each path's content, int64 [n], by first appearance.

    Links lead to their files. Files are compared only where their sizes are
    equal, and read wholly only where a part of them is equal too. A path
    that is no readable file, or an empty one, is the same as itself alone.
    """
    files = [_file(path) for path in paths]
    sizes = {key: size for key, size in files}
    where = {key: p for (key, _), p in zip(files, paths, strict=True)}
    content: dict[Hashable, Hashable] = {key: key for key in sizes}
    same_size = _groups([k for k, size in sizes.items() if size], sizes.get)
    for by_size in same_size:
        for by_sample in _groups(by_size, lambda k: _sample(where[k])):
            for equal in _groups(by_sample, lambda k: _digest(where[k])):
                content |= dict.fromkeys(equal, equal[0])
    numbers: dict[Hashable, int] = {}
    return np.array(
        [numbers.setdefault(content[key], len(numbers)) for key, _ in files],
        np.int64,
    )


def first_rows(images: np.ndarray) -> np.ndarray:
    """The first row of each image, int64 [N], of numbers int [Q]."""
    return np.unique(images, return_index=True)[1]


def one_each(rows: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Of each image its first pair's row, [N, ...] of [Q, ...]; no copy of all.

    Args:
        rows: such as descriptors of the pairs.
        images: int [Q], the number of each pair's image.
    """
    first = first_rows(images)
    return rows if len(first) == len(rows) else rows[first]


def _file(path: Path) -> tuple[Hashable, int]:
    """What tells a file from others, and its size; 0 where it has no bytes."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.path.abspath(path), 0
    # A pipe has no size, and reading it might never end.
    size = found.st_size if stat.S_ISREG(found.st_mode) else 0
    return (found.st_dev, found.st_ino), size


def _groups(
    keys: Iterable[Hashable], of: Callable[[Hashable], Hashable]
) -> list[list[Hashable]]:
    """Keys of which something is the same, where they are two or more."""
    groups: dict[Hashable, list[Hashable]] = defaultdict(list)
    for key in keys:
        groups[of(key)].append(key)
    return [group for group in groups.values() if len(group) > 1]


def _sample(path: Path) -> Hashable:
    """Some bytes of the middle; an unreadable file is like no other."""
    try:
        with path.open("rb") as file:
            file.seek(os.fstat(file.fileno()).st_size // 2)
            return file.read(_SAMPLE_BYTES)
    except OSError:
        return path


def _digest(path: Path) -> Hashable:
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while part := file.read(_READ_BYTES):
                digest.update(part)
    except OSError:
        return path
    return digest.digest()
