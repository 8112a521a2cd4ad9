"""Arrays from HDF5 files: those inside the file, of a bounded size."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import BinaryIO

import h5py
import numpy as np

from mgtl_tf.utils.plain_files import UnfitFileError, first_line, quoted

_MOST_OBJECTS = 100_000
_KINDS = "fiu"


def read_datasets(
    file: BinaryIO, wanted: Callable[[str], bool], largest: int
) -> dict[str, np.ndarray]:
    """The datasets of an HDF5 file, by their paths.

    Links to other files are not followed; a dataset whose values lie in
    other files is refused.

    Args:
        file: opened for reading.
        wanted: which paths are read.
        largest: most bytes that one of them may take.

    Raises:
        UnfitFileError: where it is no such file, or a wanted dataset is
            larger, no array of numbers, not finite, or not in the file.
    """
    try:
        with h5py.File(file, "r") as opened:
            paths = _datasets(opened)
            return {
                path: _read(opened[path], path, largest)
                for path in paths
                if wanted(path)
            }
    except UnfitFileError:
        raise
    # The library raises many types for broken files, RuntimeError and
    # SystemError among them.
    except Exception as error:
        raise UnfitFileError(first_line(error)) from error


def _datasets(opened: h5py.File) -> list[str]:
    paths: list[str] = []
    seen = 0

    def visit(path: str, item: h5py.HLObject) -> None:
        nonlocal seen
        seen += 1
        if seen > _MOST_OBJECTS:
            raise UnfitFileError(f"holds over {_MOST_OBJECTS:,} objects")
        if isinstance(item, h5py.Dataset):
            paths.append(path)

    opened.visititems(visit)
    return paths


def _read(item: h5py.Dataset, path: str, largest: int) -> np.ndarray:
    shown = quoted(path)
    if item.is_virtual or item.external is not None:
        raise UnfitFileError(f"{shown}: its values lie in other files")
    if item.shape is None or item.dtype.kind not in _KINDS:
        raise UnfitFileError(f"{shown}: holds no numbers")
    # A chunk is unpacked completely, however little of it is wanted.
    counts = (math.prod(item.shape), math.prod(item.chunks or ()))
    if max(counts) * item.dtype.itemsize > largest:
        raise UnfitFileError(
            f"{shown}: claims shape {quoted(item.shape)}, over"
            f" {largest:,} bytes"
        )
    values = np.asarray(item)
    if not np.isfinite(values).all():
        raise UnfitFileError(f"{shown}: holds NaN or infinity")
    return values
