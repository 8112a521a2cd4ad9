"""Which pairs share an aerial image: the same file, or files of equal bytes.

A gallery is its distinct aerial images: data of VIGOR's kind shows several
panoramas of one image. Images are numbered from 0 in the order in which the
pairs first name them; where no pairs share one, the numbers are the rows.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np

from mgtl_tf.datasets.records import Pair

_SAMPLE_BYTES = 4096


def aerial_images(pairs: Sequence[Pair]) -> np.ndarray:
    """The number of each pair's aerial image, int64 [N]; see the module."""
    return distinct_files([pair.aerial for pair in pairs])


def distinct_files(paths: Sequence[Path]) -> np.ndarray:
    """The number of each path's content, int64 [n], by first appearance.

    Links lead to their files. Files are opened only where their sizes are
    equal, and read completely only where a sample is equal too. A path that
    is no readable file, or an empty one, equals itself alone.
    """
    files = [_identity(path) for path in paths]
    path_of = dict(zip(files, paths, strict=True))
    content: dict[Hashable, Hashable] = {file: file for file in files}
    groups = [list(content)]
    for key_of in (_size, _sample, _digest):
        split = []
        for group in groups:
            by_key: dict[Hashable, list[Hashable]] = defaultdict(list)
            for file in group:
                by_key[key_of(path_of[file])].append(file)
            split += [same for same in by_key.values() if len(same) > 1]
        groups = split
    for same in groups:
        content |= dict.fromkeys(same, same[0])
    numbers: dict[Hashable, int] = {}
    return np.array(
        [numbers.setdefault(content[file], len(numbers)) for file in files],
        np.int64,
    )


def first_rows(images: np.ndarray) -> np.ndarray:
    """The first row of each image, int64 [N], of numbers int [Q]."""
    return np.unique(images, return_index=True)[1]


def one_each(rows: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Of each image its first pair's row, [N, ...] of [Q, ...].

    Args:
        rows: such as descriptors of the pairs; returned as they are where
            no pairs share an image.
        images: int [Q], the number of each pair's image.
    """
    first = first_rows(images)
    return rows if len(first) == len(rows) else rows[first]


def _identity(path: Path) -> Hashable:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.path.abspath(path)
    return found.st_dev, found.st_ino


def _size(path: Path) -> Hashable:
    """Bytes of a file, or the path of what has none; a pipe has none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return path
    return (stat.S_ISREG(found.st_mode) and found.st_size) or path


def _sample(path: Path) -> Hashable:
    """Some bytes of the middle; an unreadable file is like no other."""
    try:
        with path.open("rb") as file:
            file.seek(os.fstat(file.fileno()).st_size // 2)
            return file.read(_SAMPLE_BYTES)
    except OSError:
        return path


def _digest(path: Path) -> Hashable:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").digest()
    except OSError:
        return path
