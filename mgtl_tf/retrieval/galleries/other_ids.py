"""Further ids of a gallery's places: of pairs that share an aerial image.

A gallery holds each distinct aerial image once, under the id that named it
first. The other ids lead to the same row; they lie in a text column with the
row of each beside it, and only where there are any.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mgtl_tf.retrieval.galleries.columns import (
    open_text,
    text_files,
    write_text,
)
from mgtl_tf.utils.array_files import map_array
from mgtl_tf.utils.atomic_io import sync
from mgtl_tf.utils.plain_files import UnfitFileError

_NAME = "other_ids"
_ROWS = f"{_NAME}.rows.npy"

OTHER_ID_FILES = (*text_files(_NAME), _ROWS)
"""Their files in a gallery's folder."""


def write_other_ids(
    folder: Path, others: Iterable[tuple[str, int]]
) -> tuple[str, ...]:
    """Writes ids and their rows; returns the names of the files, if any.

    Raises:
        OSError: where the disk does not take them.
    """
    pairs = list(others)
    if not pairs:
        return ()
    write_text(folder, _NAME, (name for name, _ in pairs))
    np.save(folder / _ROWS, np.array([row for _, row in pairs], np.int64))
    for name in OTHER_ID_FILES:
        sync(folder / name)
    return OTHER_ID_FILES


def read_other_ids(folder: Path, count: int) -> dict[str, int]:
    """The row of each further id, of a gallery that has some.

    Args:
        folder: of the gallery.
        count: N, its rows.

    Raises:
        UnfitFileError: where the files are not what they should be.
        OSError: where one is missing.
    """
    names = open_text(folder, _NAME)
    rows = map_array(folder / _ROWS, "<i8", (None,)).view(np.ndarray)
    if len(rows) != len(names):
        raise UnfitFileError(f"{len(names)} other ids and {len(rows)} rows")
    if len(rows) and not (0 <= rows.min() and rows.max() < count):
        raise UnfitFileError(f"{_ROWS} names rows that are not there")
    return dict(zip(names, rows.tolist(), strict=True))
