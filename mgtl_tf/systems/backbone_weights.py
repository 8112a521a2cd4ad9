"""Starting both VGG-16 branches from given weights (R3)."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np

from mgtl_tf.errors import UserError

_ALTERNATIVES = (
    "give --backbone_weights=FILE (Keras' VGG16 weights, HDF5 or .keras) or"
    " --backbone_weights=none with --backbone_normalization=batch"
)


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
            f" ({_first_line(error)}); {_ALTERNATIVES}"
        ) from error
    return _of_network(network)


def _from_file(source: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if not Path(source).is_file():
        raise UserError(
            f"--backbone_weights={source}: no such file; {_ALTERNATIVES}"
        )
    try:
        if source.endswith(".keras"):
            return _of_network(keras.models.load_model(source, compile=False))
        if source.endswith(".weights.h5"):
            network = keras.applications.VGG16(include_top=False, weights=None)
            network.load_weights(source)
            return _of_network(network)
        return _of_hdf5(source)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--backbone_weights={source}: not VGG-16 weights that can be read"
            f" ({_first_line(error)}); {_ALTERNATIVES}"
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


def _of_network(network) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    convolutions = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    return {c.name: tuple(c.get_weights()) for c in convolutions}


def _of_hdf5(source: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The legacy layout: one group a layer, holding kernel and bias."""
    found: dict[str, dict[int, np.ndarray]] = {}

    def visit(path, item):
        parts = path.split("/")
        if isinstance(item, h5py.Dataset) and "_conv" in path:
            name = next(p for p in parts if "_conv" in p)
            found.setdefault(name, {})[item.ndim] = np.asarray(item)

    with h5py.File(source, "r") as file:
        file.visititems(visit)
    return {n: (a[4], a[1]) for n, a in found.items() if {1, 4} <= set(a)}
