"""Arrays from .npy and .npz files, checked before memory is taken for them.

A header of NumPy's is a claim: its shape and type are compared with the bytes
that are there, and with what is expected.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Literal

import numpy as np

from mgtl_tf.utils.plain_files import (
    UnfitFileError,
    first_line,
    open_plain,
    quoted,
)

_HEADER_BYTES = 10_000
_MOST_BYTES = 2**62
_NUMBERS = "biuf"
_KINDS = f"{_NUMBERS}S"

_SUFFIX = ".npy"
_READ = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_MOST_NAMES = 100_000
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


class Header:
    """The header of an array file.

    Attributes:
        shape: of the array.
        dtype: of its values: bool, whole or floating-point numbers.
        order: "F" where the first index varies fastest, else "C".
        start: the byte at which the values begin.
    """

    def __init__(self, file: IO[bytes]):
        try:
            version = np.lib.format.read_magic(file)
            if version == (1, 0):
                read = np.lib.format.read_array_header_1_0
            elif version == (2, 0):
                read = np.lib.format.read_array_header_2_0
            else:
                raise ValueError(f"format {version} is not read")
            found = read(file, max_header_size=_HEADER_BYTES)
        # NumPy gives the header to Python's own parser, which raises many
        # types, MemoryError and RecursionError among them.
        except Exception as error:
            raise UnfitFileError(
                f"no array header: {first_line(error)}"
            ) from error
        self.shape, fortran, self.dtype = found
        self.order: Literal["F", "C"] = "F" if fortran else "C"
        self.start = file.tell()
        if self.dtype.kind not in _KINDS or self.dtype.hasobject:
            raise UnfitFileError(f"holds {self.dtype}, not numbers"[:80])
        sound = all(
            0 <= n <= _MOST_BYTES and not isinstance(n, bool)
            for n in self.shape
        )
        if not sound or self.bytes > _MOST_BYTES:
            raise UnfitFileError("claims a shape that no array has")

    @property
    def bytes(self) -> int:
        """How many bytes the values take, by what the header says."""
        return math.prod(self.shape) * self.dtype.itemsize

    def require(self, dtype: str | None, shape: Shape | None) -> None:
        """Compares the claim with what is expected.

        Args:
            dtype: such as "<f4"; None for any number. A single letter of
                "biufS" stands for a kind.
            shape: None for any.

        Raises:
            UnfitFileError: where they differ.
        """
        kind = self.dtype.kind
        if dtype is None:
            fits = kind in _NUMBERS
        else:
            fits = dtype == kind or self.dtype == np.dtype(dtype)
        if not fits:
            wanted = "numbers" if dtype is None else str(np.dtype(dtype))
            raise UnfitFileError(f"holds {self.dtype}, not {wanted}")
        if shape is None:
            return
        same = len(shape) == len(self.shape) and all(
            want in (None, have)
            for want, have in zip(shape, self.shape, strict=True)
        )
        if not same:
            wanted = ", ".join("any" if n is None else str(n) for n in shape)
            raise UnfitFileError(f"has shape {self.shape}, not ({wanted})")


def read_array(
    path: Path | str, dtype: str | None = None, shape: Shape | None = None
) -> np.ndarray:
    """A .npy file, in memory.

    Args:
        path: of the file.
        dtype, shape: what it must be, as of `Header.require`.

    Raises:
        UnfitFileError: for any other file; no memory was then taken.
    """
    return np.array(map_array(path, dtype, shape))


def map_array(
    path: Path | str, dtype: str | None = None, shape: Shape | None = None
) -> np.ndarray:
    """A .npy file, mapped read-only.

    Args:
        path: of the file.
        dtype, shape: what it must be, as of `Header.require`.

    Raises:
        UnfitFileError: for any other file.
    """
    with open_plain(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        header = Header(file)
        header.require(dtype, shape)
        if size != header.start + header.bytes:
            raise UnfitFileError(
                f"has {size:,} bytes where its header claims"
                f" {header.start + header.bytes:,}"
            )
        if not header.bytes:  # An empty file cannot be mapped.
            return np.empty(header.shape, header.dtype, header.order)
        return np.memmap(
            file, header.dtype, "r", header.start, header.shape, header.order
        )


class ArrayArchive:
    """An .npz file of plain arrays, as a context.

    Args:
        path: of the file.

    Attributes:
        names: of its arrays, in order.

    Raises:
        UnfitFileError: where it is no such file.
    """

    def __init__(self, path: Path | str):
        self._file = open_plain(path)
        try:
            self._zip = zipfile.ZipFile(self._file)
            self._members = _members(self._zip)
        except UnfitFileError:
            self._file.close()
            raise
        except ZIP_ERRORS as error:
            self._file.close()
            raise UnfitFileError(f"no .npz: {first_line(error)}") from error
        self.names = list(self._members)

    def __enter__(self) -> ArrayArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    def header(self, name: str) -> Header:
        """What one array claims to be.

        Raises:
            UnfitFileError: where it is no array of numbers.
        """
        try:
            with self._zip.open(self._members[name]) as file:
                return _header(file, self._members[name])
        except ZIP_ERRORS as error:
            raise _unfit(name, error) from error

    def read(
        self, name: str, dtype: str | None = None, shape: Shape | None = None
    ) -> np.ndarray:
        """One array, read-only; its checksum in the file is compared.

        Args:
            name: of `names`.
            dtype, shape: what it must be, as of `Header.require`.

        Raises:
            UnfitFileError: for anything else; no memory was then taken.
        """
        try:
            with self._zip.open(self._members[name]) as file:
                header = _header(file, self._members[name])
                header.require(dtype, shape)
                # One byte more: only at its end is the checksum compared.
                content = file.read(header.bytes + 1)
        except UnfitFileError as error:
            raise UnfitFileError(f"{name} {error}"[:160]) from error
        except ZIP_ERRORS as error:
            raise _unfit(name, error) from error
        if len(content) != header.bytes:
            raise UnfitFileError(f"{name} is cut off")
        flat = np.frombuffer(content, header.dtype)
        return flat.reshape(header.shape, order=header.order)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    infos = archive.infolist()
    if len(infos) > _MOST_NAMES:
        raise UnfitFileError(f"holds {len(infos):,} arrays")
    for info in infos:
        name = info.filename.removesuffix(_SUFFIX)
        if name == info.filename or name in found:
            raise UnfitFileError(f"holds {quoted(info.filename)}, no array")
        if info.compress_type not in _READ or info.flag_bits & _ENCRYPTED:
            raise UnfitFileError(f"{quoted(name)} is packed in another way")
        found[name] = info
    return found


def _header(file: IO[bytes], info: zipfile.ZipInfo) -> Header:
    header = Header(file)
    if info.file_size != header.start + header.bytes:
        raise UnfitFileError(
            f"has {info.file_size:,} bytes where its header claims"
            f" {header.start + header.bytes:,}"
        )
    return header


def _unfit(name: str, error: Exception) -> UnfitFileError:
    return UnfitFileError(f"{quoted(name)}: {first_line(error)}")
