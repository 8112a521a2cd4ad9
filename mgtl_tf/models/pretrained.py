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

from mgtl_tf.utils.array_files import ZIP_ERRORS, read_archive, read_datasets
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError, first_line, open_plain

# Kernels [3, 3, C, C'] and biases [C'] of convolutions, first to last.
_Convolutions = list[tuple[np.ndarray, np.ndarray]]

_REMEDY = (
    "give a file of VGG16's weights (Keras' HDF5 or .keras, .npz, .onnx), or"
    " backbone_weights=none with backbone_normalization=batch"
)
_MEMBER = "model.weights.h5"
_CONVOLUTIONS = 13
_MOST_BYTES = 2**30
# What a kernel's name and its bias' differ in: conv/kernel:0, conv_W, vars/0,
# and conv_W_1:0, as in the file that Keras publishes.
_ENDING = re.compile(r"[/_.]((kernel|bias|weight|[wWb])(_1)?|\d)(:0)?$")
# Above VGG-16's largest kernel, 3 x 3 x 512 x 512 in float64.
_LARGEST = 2**25


def load_vgg16(backbones: list[Any], source: str) -> None:
    """Copies VGG-16's convolutions into every backbone.

    Args:
        backbones: VGG16Features, built.
        source: "imagenet" (Keras' own download, its checksum checked by
            Keras), "none", or a file, with or without its top: Keras' VGG16
            as HDF5, `.weights.h5` or `.keras`; `.npz` of arrays NAME/kernel
            [3, 3, C, C'] and NAME/bias [C'] (or NAME_W and NAME_b); or
            `.onnx`. Its network must take what Keras' takes: BGR less the
            channel means, 0..255.

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
    if len(found) != _CONVOLUTIONS:
        raise UnfitFileError(
            f"holds {len(found)} convolutions, VGG-16 has {_CONVOLUTIONS}"
        )
    # A network of fewer blocks takes the first.
    found = found[: len(layers)]
    for layer, (kernel, bias) in zip(layers, found, strict=True):
        wanted = tuple(layer.kernel.shape)
        if kernel.shape != wanted:
            raise UnfitFileError(
                f"{layer.name} has shape {kernel.shape}, the model needs"
                f" {wanted}; only width_multiplier=1 fits VGG-16's weights"
            )
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise UnfitFileError(f"{layer.name} holds no finite numbers")
    for layer, (kernel, bias) in zip(layers, found, strict=True):
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
    if source.endswith(".npz"):
        return _in_order(read_archive(source, lambda name: True, "f"))
    with open_plain(source, _MOST_BYTES) as file:
        if source.endswith(".onnx"):
            return _of_graph(file.read())
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


def _of_graph(content: bytes) -> _Convolutions:
    """The convolutions of an ONNX model, as its nodes apply them."""
    try:
        import onnx
        from onnx import external_data_helper, numpy_helper
    except ImportError as error:
        raise UnfitFileError(
            "ONNX files are read by the package onnx (pip install onnx)"
        ) from error
    try:
        graph = onnx.load_model_from_string(content).graph
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        if any(map(external_data_helper.uses_external_data, tensors.values())):
            raise UnfitFileError("its values lie in other files")
        arrays = {n: numpy_helper.to_array(t) for n, t in tensors.items()}
    except UnfitFileError:
        raise
    # The library raises many types for broken files.
    except Exception as error:
        raise UnfitFileError(first_line(error)) from error
    added = {
        name: node
        for node in graph.node
        if node.op_type == "Add"
        for name in node.input
    }
    found = []
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        kernel = arrays.get(node.input[1], np.zeros(0))
        names = node.input[2:] or added.get(node.output[0], node).input
        biases = [arrays[n].ravel() for n in names if n in arrays]
        if kernel.ndim != 4 or not biases or biases[-1].size != len(kernel):
            raise UnfitFileError(f"{node.name}: holds no kernel and bias")
        found.append((kernel.transpose(2, 3, 1, 0), biases[-1]))
    return found


def _in_order(arrays: dict[str, np.ndarray]) -> _Convolutions:
    """The convolutions among arrays: groups of a kernel and its bias.

    In the order of their names, numbers as such: conv2d_2 before conv2d_10.
    """
    groups: dict[str, dict[int, np.ndarray]] = {}
    for path, values in arrays.items():
        groups.setdefault(_ENDING.sub("", path), {})[values.ndim] = values
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
