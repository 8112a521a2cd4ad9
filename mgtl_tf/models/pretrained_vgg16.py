"""Starting both VGG-16 branches from given weights (R3)."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import keras
import numpy as np

from mgtl_tf.utils.array_files import ZIP_ERRORS
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.hdf5_files import read_datasets
from mgtl_tf.utils.plain_files import UnfitFileError, first_line, open_plain

_ALTERNATIVES = (
    "give --backbone_weights=FILE (Keras' VGG16 weights, HDF5 or .keras) or"
    " --backbone_weights=none with --backbone_normalization=batch"
)
_MEMBER = "model.weights.h5"
_BLOCK = 2**20
_MOST_BYTES = 2**30
# Above VGG-16's largest kernel, 3 x 3 x 512 x 512 in float64.
_LARGEST = 2**25
_CONVOLUTIONS = (2, 2, 3, 3, 3)
_NAMES = [
    f"block{block}_conv{number}"
    for block, count in enumerate(_CONVOLUTIONS, 1)
    for number in range(1, count + 1)
]


def load_backbone_weights(model: keras.Model, source: str) -> None:
    """Copies VGG-16's convolutions into every branch of a model.

    Args:
        model: of `build_model`; its `backbones` are VGG16Features.
        source: "imagenet" (Keras' own download, its checksum checked by
            Keras), "none", or a file: Keras' VGG16 as HDF5, `.weights.h5`
            or `.keras`, with or without its top.

    Raises:
        UserError: naming the flag and the alternatives, where the file is
            missing, unreadable or does not fit.
    """
    if source == "none":
        return
    kernels = _imagenet() if source == "imagenet" else _from_file(source)
    for backbone in model.backbones:
        for convolution in backbone.convolutions:
            _set(convolution, kernels, source)


def _set(convolution, kernels, source):
    name = convolution.name
    if name not in kernels:
        raise UserError(
            f"--backbone_weights={source}: holds no layer {name};"
            f" {_ALTERNATIVES}"
        )
    kernel, bias = kernels[name]
    if bias.shape != kernel.shape[-1:]:
        raise UserError(
            f"--backbone_weights={source}: {name} has {bias.shape} biases for"
            f" a kernel of {kernel.shape}; {_ALTERNATIVES}"
        )
    if kernel.shape != tuple(convolution.kernel.shape):
        raise UserError(
            f"--backbone_weights={source}: {name} has shape {kernel.shape},"
            f" the model needs {tuple(convolution.kernel.shape)}; only"
            " --width_multiplier=1 fits VGG-16's weights"
        )
    convolution.kernel.assign(kernel)
    convolution.bias.assign(bias)


def _imagenet() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    try:
        network = keras.applications.VGG16(include_top=False)
    except Exception as error:  # Keras raises bare Exception on a failed get
        raise UserError(
            "--backbone_weights=imagenet: the download failed"
            f" ({first_line(error)}); {_ALTERNATIVES}"
        ) from error
    return _of_network(network)


def _from_file(source: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if not Path(source).is_file():
        raise UserError(
            f"--backbone_weights={source}: no such file; {_ALTERNATIVES}"
        )
    try:
        with open_plain(source) as file:
            if source.endswith(".keras"):
                with _inside(file) as weights:
                    return _by_number(_arrays(weights))
            if source.endswith(".weights.h5"):
                return _by_number(_arrays(file))
            return _by_name(_arrays(file))
    except UnfitFileError as error:
        raise UserError(
            f"--backbone_weights={source}: not VGG-16 weights that can be read"
            f" ({error}); {_ALTERNATIVES}"
        ) from error


@contextmanager
def _inside(file: BinaryIO) -> Iterator[BinaryIO]:
    """The weights of a `.keras` file; nothing else of it is looked at."""
    try:
        with zipfile.ZipFile(file) as archive, TemporaryFile() as copy:
            info = archive.getinfo(_MEMBER)
            if info.file_size > _MOST_BYTES:
                raise UnfitFileError(f"{_MEMBER}: over {_MOST_BYTES:,} bytes")
            with archive.open(info) as member:
                shutil.copyfileobj(member, copy, _BLOCK)
            yield copy
    except ZIP_ERRORS as error:
        raise UnfitFileError(first_line(error)) from error


def _arrays(file: BinaryIO) -> dict[str, np.ndarray]:
    return read_datasets(file, lambda path: "conv" in path, _LARGEST)


def _by_name(
    arrays: dict[str, np.ndarray],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The legacy layout: one group a layer, holding kernel and bias."""
    found: dict[str, dict[int, np.ndarray]] = {}
    for path, values in arrays.items():
        name = next((p for p in path.split("/") if "_conv" in p), None)
        if name is not None:
            found.setdefault(name, {})[values.ndim] = values
    return {n: (a[4], a[1]) for n, a in found.items() if {1, 4} <= set(a)}


def _by_number(
    arrays: dict[str, np.ndarray],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
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


def _of_network(network) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    convolutions = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    return {c.name: tuple(c.get_weights()) for c in convolutions}
