"""Arrays from .npy, .npz and HDF5 files of any origin.

What a header claims is compared with the bytes that are there, and with what
is expected, before memory is taken. Nothing is unpickled.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mgtl_tf.utils.plain_files import (
    UnfitFileError,
    first_line,
    open_plain,
    quoted,
)

_NUMBERS = "biuf"
_MOST_OBJECTS = 100_000
_HEADER_BYTES = 10_000
ZIP_ERRORS = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,
    OverflowError,
    zlib.error,
    zipfile.BadZipFile,
)
"""What zipfile raises on broken files; NotImplementedError is among them."""

Shape = Sequence[int | None]
"""An expected shape; None stands for any number."""


def read_array(
    path: Path | str, dtype: str | None = None, shape: Shape | None = None
) -> np.ndarray:
    """A .npy file in memory; see `map_array`."""
    return np.array(map_array(path, dtype, shape))


def map_array(
    path: Path | str, dtype: str | None = None, shape: Shape | None = None
) -> np.ndarray:
    """A .npy file, mapped read-only.

    Args:
        path: of the file.
        dtype: such as "<f4", or a letter of "biufS" for a kind; by default
            any number.
        shape: by default any.

    Raises:
        UnfitFileError: for any other file.
    """
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
    try:
        with np.errstate(over="ignore"):  # Of a huge shape.
            array = np.lib.format.open_memmap(path, mode="r")
    # NumPy gives the header to Python's own parser, which raises many types,
    # MemoryError and RecursionError among them.
    except Exception as error:
        raise UnfitFileError(f"no array: {first_line(error)}") from error
    _require(array, dtype, shape)
    whole = array.offset + array.nbytes
    if size != whole:
        raise UnfitFileError(
            f"has {size:,} bytes where its header claims {whole:,}"
        )
    return array


def read_archive(
    path: Path | str,
    wanted: Callable[[str], bool],
    dtype: str | None = None,
    largest: int = 2**28,
) -> dict[str, np.ndarray]:
    """Arrays of an .npz file, by name; their checksums in it are compared.

    Args:
        path: of the file.
        wanted: which names are read.
        dtype: as of `map_array`.
        largest: most bytes that one of them may take.

    Raises:
        UnfitFileError: where it is no such file, or a wanted array is
            anything else.
    """
    with open_plain(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = {
                    n.removesuffix(".npy"): n for n in archive.namelist()
                }
                return {
                    name: _member(archive, member, dtype, largest)
                    for name, member in members.items()
                    if wanted(name)
                }
        except ZIP_ERRORS as error:
            raise UnfitFileError(f"no .npz: {first_line(error)}") from error


def _member(
    archive: zipfile.ZipFile, name: str, dtype: str | None, largest: int
) -> np.ndarray:
    try:
        info = archive.getinfo(name)
        if info.file_size > largest + _HEADER_BYTES:
            raise UnfitFileError(f"{name} takes over {largest:,} bytes")
        member = io.BytesIO(archive.read(info))
        array = np.lib.format.read_array(member, allow_pickle=False)
    except UnfitFileError:
        raise
    except Exception as error:  # As in `map_array`.
        raise UnfitFileError(f"{quoted(name)}: {first_line(error)}") from error
    _require(array, dtype, None)
    if member.read(1):
        raise UnfitFileError(f"{name} is longer than its header claims")
    return array


def _require(array: np.ndarray, dtype: str | None, shape: Shape | None) -> None:
    if dtype is None:
        fits = array.dtype.kind in _NUMBERS
    else:
        fits = dtype == array.dtype.kind or array.dtype == np.dtype(dtype)
    if not fits:
        wanted = "numbers" if dtype is None else str(np.dtype(dtype))
        raise UnfitFileError(f"holds {array.dtype}, not {wanted}"[:80])
    if shape is not None:
        same = len(shape) == array.ndim and all(
            want in (None, have)
            for want, have in zip(shape, array.shape, strict=True)
        )
        if not same:
            wanted = ", ".join("any" if n is None else str(n) for n in shape)
            raise UnfitFileError(f"has shape {array.shape}, not ({wanted})")


def read_datasets(
    file: BinaryIO, wanted: Callable[[str], bool], largest: int
) -> dict[str, np.ndarray]:
    """The datasets of an HDF5 file, by their paths.

    Links to other files are not followed.

    Args:
        file: opened for reading.
        wanted: which paths are read.
        largest: most bytes that one of them may take.

    Raises:
        UnfitFileError: where it is no such file, or a wanted dataset is
            larger, no array of numbers, not finite, or in another file.
    """
    import h5py

    paths: list[str] = []
    seen = 0

    def visit(path: str, item: h5py.HLObject) -> None:
        nonlocal seen
        seen += 1
        if seen > _MOST_OBJECTS:
            raise UnfitFileError(f"holds over {_MOST_OBJECTS:,} objects")
        if isinstance(item, h5py.Dataset) and wanted(path):
            paths.append(path)

    try:
        with h5py.File(file, "r") as opened:
            opened.visititems(visit)
            return {p: _read_dataset(opened[p], p, largest) for p in paths}
    except UnfitFileError:
        raise
    # The library raises many types for broken files, SystemError among them.
    except Exception as error:
        raise UnfitFileError(first_line(error)) from error


def _read_dataset(item, path: str, largest: int) -> np.ndarray:
    name = quoted(path)
    if item.is_virtual or item.external is not None:
        raise UnfitFileError(f"{name}: its values lie in other files")
    if item.shape is None or item.dtype.kind not in _NUMBERS:
        raise UnfitFileError(f"{name}: holds no numbers")
    # A chunk is unpacked completely, however little of it is wanted.
    counts = (math.prod(item.shape), math.prod(item.chunks or ()))
    if max(counts) * item.dtype.itemsize > largest:
        raise UnfitFileError(
            f"{name}: claims shape {quoted(item.shape)}, over {largest:,} bytes"
        )
    values = np.asarray(item)
    if not np.isfinite(values).all():
        raise UnfitFileError(f"{name}: holds NaN or infinity")
    return values
