"""Starting both VGG-16 branches from given weights (R3)."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import BinaryIO

import keras
import numpy as np

from mgtl_tf.layers.vgg16 import BLOCKS
from mgtl_tf.utils.array_files import ZIP_ERRORS, read_datasets
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError, first_line, open_plain

# Layer to kernel [3, 3, C, C'] and bias [C'].
_Weights = dict[str, tuple[np.ndarray, np.ndarray]]

_REMEDY = (
    "give a file of Keras' VGG16 weights (HDF5 or .keras), or"
    " backbone_weights=none with backbone_normalization=batch"
)
_MEMBER = "model.weights.h5"
_MOST_BYTES = 2**30
# Above VGG-16's largest kernel, 3 x 3 x 512 x 512 in float64.
_LARGEST = 2**25
_NAMES = [
    f"block{block}_conv{number}"
    for block, widths in enumerate(BLOCKS, 1)
    for number in range(1, len(widths) + 1)
]


def load_backbone_weights(model: keras.Model, source: str) -> None:
    """Copies VGG-16's convolutions into every branch of a model.

    Args:
        model: of `build_model`; its `backbones` are VGG16Features.
        source: "imagenet" (Keras' own download, its checksum checked by
            Keras), "none", or a file: Keras' VGG16 as HDF5, `.weights.h5`
            or `.keras`, with or without its top.

    Raises:
        UserError: where they are missing, unreadable or do not fit, with
            the alternatives.
    """
    if source == "none":
        return
    try:
        weights = _imagenet() if source == "imagenet" else _from_file(source)
        for backbone in model.backbones:
            for convolution in backbone.convolutions:
                _assign(convolution, weights)
    except UnfitFileError as error:
        raise UserError(
            f"backbone_weights={source}: {error}; {_REMEDY}"
        ) from error


def _assign(convolution: keras.layers.Conv2D, weights: _Weights) -> None:
    name, wanted = convolution.name, tuple(convolution.kernel.shape)
    if name not in weights:
        raise UnfitFileError(f"holds no layer {name}")
    kernel, bias = weights[name]
    if kernel.shape != wanted or bias.shape != wanted[-1:]:
        raise UnfitFileError(
            f"{name} has shapes {kernel.shape} and {bias.shape}, the model"
            f" needs {wanted} and {wanted[-1:]}; only width_multiplier=1 fits"
            " VGG-16's weights"
        )
    convolution.kernel.assign(kernel)
    convolution.bias.assign(bias)


def _imagenet() -> _Weights:
    try:
        network = keras.applications.VGG16(include_top=False)
    except Exception as error:  # Keras raises bare Exception on a failed get
        raise UnfitFileError(
            f"the download failed ({first_line(error)})"
        ) from error
    return {name: network.get_layer(name).get_weights() for name in _NAMES}


def _from_file(source: str) -> _Weights:
    with open_plain(source) as file:
        if source.endswith(".keras"):
            with _member(file) as weights:
                return _by_number(_arrays(weights))
        if source.endswith(".weights.h5"):
            return _by_number(_arrays(file))
        return _by_name(_arrays(file))


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


def _by_name(arrays: dict[str, np.ndarray]) -> _Weights:
    """The legacy layout: one group a layer, holding kernel and bias."""
    found: dict[str, dict[int, np.ndarray]] = {}
    for path, values in arrays.items():
        name = next((p for p in path.split("/") if "_conv" in p), None)
        if name is not None:
            found.setdefault(name, {})[values.ndim] = values
    return {n: (a[4], a[1]) for n, a in found.items() if {1, 4} <= set(a)}


def _by_number(arrays: dict[str, np.ndarray]) -> _Weights:
    """Keras' present layout: layers/conv2d_N/vars/0 (kernel) and 1 (bias)."""
    found = {}
    for number, name in enumerate(_NAMES):
        place = f"layers/conv2d{f'_{number}' if number else ''}/vars"
        kernel, bias = (arrays.get(f"{place}/{n}") for n in (0, 1))
        if kernel is None or bias is None:
            raise UnfitFileError(f"holds no {place}, {name} of VGG-16")
        found[name] = (kernel, bias)
    if f"layers/conv2d_{len(_NAMES)}/vars/0" in arrays:
        raise UnfitFileError(f"holds more than {len(_NAMES)} convolutions")
    return found
