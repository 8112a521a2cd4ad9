"""Starting VGG-16 backbones from weights of a file or of Keras (R3)."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import keras
import numpy as np

from mgtl_tf.utils.array_files import ZIP_ERRORS, read_datasets
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError, first_line, open_plain

# Kernels [3, 3, C, C'] and biases [C'] of convolutions, first to last.
_Convolutions = list[tuple[np.ndarray, np.ndarray]]

_REMEDY = (
    "give a file of Keras' VGG16 weights (HDF5 or .keras), or"
    " backbone_weights=none with backbone_normalization=batch"
)
_MEMBER = "model.weights.h5"
_MOST_BYTES = 2**30
# Above VGG-16's largest kernel, 3 x 3 x 512 x 512 in float64.
_LARGEST = 2**25


def load_vgg16(backbones: list[Any], source: str) -> None:
    """Copies VGG-16's convolutions into every backbone.

    Args:
        backbones: VGG16Features, built.
        source: "imagenet" (Keras' own download, its checksum checked by
            Keras), "none", or a file: Keras' VGG16 as HDF5, `.weights.h5`
            or `.keras`, with or without its top.

    Raises:
        UserError: where they are missing, unreadable or do not fit, with
            the alternatives.
    """
    if source == "none":
        return
    with naming_source(source, _REMEDY):
        found = _imagenet() if source == "imagenet" else _from_file(source)
        for backbone in backbones:
            _assign_convolutions(backbone.convolutions, found)


@contextmanager
def naming_source(source: str, remedy: str) -> Iterator[None]:
    """Makes an unfit file the `UserError` about `backbone_weights`."""
    try:
        yield
    except UnfitFileError as error:
        raise UserError(
            f"backbone_weights={source}: {error}; {remedy}"
        ) from error


def _assign_convolutions(layers: list[Any], found: _Convolutions) -> None:
    if len(found) != len(layers):
        raise UnfitFileError(
            f"holds {len(found)} convolutions, VGG-16 has {len(layers)}"
        )
    for layer, (kernel, bias) in zip(layers, found, strict=True):
        wanted = tuple(layer.kernel.shape)
        if kernel.shape != wanted:
            raise UnfitFileError(
                f"{layer.name} has shape {kernel.shape}, the model needs"
                f" {wanted}; only width_multiplier=1 fits VGG-16's weights"
            )
        layer.kernel.assign(kernel)
        layer.bias.assign(bias)


def _imagenet() -> _Convolutions:
    try:
        network = keras.applications.VGG16(include_top=False)
    except Exception as error:  # Keras raises bare Exception on a failed get
        raise UnfitFileError(
            f"the download failed ({first_line(error)})"
        ) from error
    layers = [n for n in network.layers if isinstance(n, keras.layers.Conv2D)]
    return [tuple(layer.get_weights()) for layer in layers]


def _from_file(source: str) -> _Convolutions:
    with open_plain(source) as file:
        if source.endswith(".keras"):
            with _member(file) as weights:
                return _in_order(_arrays(weights))
        return _in_order(_arrays(file))


@contextmanager
def _member(file: BinaryIO) -> Iterator[BinaryIO]:
    """The weights of a `.keras` file; nothing else of it is looked at."""
    try:
        with zipfile.ZipFile(file) as archive, TemporaryFile() as copy:
            info = archive.getinfo(_MEMBER)
            if info.file_size > _MOST_BYTES:
                raise UnfitFileError(f"{_MEMBER}: over {_MOST_BYTES:,} bytes")
            with archive.open(info) as member:
                shutil.copyfileobj(member, copy)
            yield copy
    except ZIP_ERRORS as error:
        raise UnfitFileError(first_line(error)) from error


def _arrays(file: BinaryIO) -> dict[str, np.ndarray]:
    return read_datasets(file, lambda path: "conv" in path, _LARGEST)


def _in_order(arrays: dict[str, np.ndarray]) -> _Convolutions:
    """The convolutions among arrays: groups of a kernel and its bias.

    In the order of their names, numbers as such: conv2d_2 before conv2d_10.
    """
    groups: dict[str, dict[int, np.ndarray]] = {}
    for path, values in arrays.items():
        groups.setdefault(path.rpartition("/")[0], {})[values.ndim] = values
    found = []
    for name in sorted(groups, key=_by_numbers):
        kernel, bias = groups[name].get(4), groups[name].get(1)
        if kernel is not None and bias is not None:
            if bias.shape != kernel.shape[-1:]:
                raise UnfitFileError(f"{name}: its kernel and bias do not fit")
            found.append((kernel, bias))
    return found


def _by_numbers(name: str) -> list[str | int]:
    parts = re.split(r"(\d+)", name)
    return [int(p) if p.isdecimal() else p for p in parts]
