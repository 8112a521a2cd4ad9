"""Arrays from .npz files: looked at one by one, each before it is read."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from mgtl_tf.utils.array_files import Header, Shape
from mgtl_tf.utils.plain_files import (
    UnfitFileError,
    first_line,
    open_plain,
    quoted,
)

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
