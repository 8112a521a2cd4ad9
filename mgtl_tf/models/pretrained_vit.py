"""Starting L2LTR from the public weights of R50+ViT-B/16, an .npz file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import ndimage

from mgtl_tf.models.pretrained import naming_source
from mgtl_tf.utils.array_files import read_archive
from mgtl_tf.utils.plain_files import UnfitFileError

_REMEDY = (
    "give the .npz of R50+ViT-B/16 as its authors publish it, or"
    " backbone_weights=none"
)
_LARGEST_GRID = 256
_POSITIONS = "pos_embedding"
_BLOCK_NORMS = {
    "norm": "LayerNorm_0",
    "key_norm": "LayerNorm_0",  # begins as a copy of the block's first one
    "mlp_norm": "LayerNorm_2",
}
_ATTENTION = {
    "query_dense": "query",
    "key_dense": "key",
    "value_dense": "value",
    "output_dense": "out",
}


def load_vit(networks: list[Any], source: str) -> None:
    """Copies the weights of a hybrid vision transformer into every network.

    Positions are interpolated to the grid of the network's own images,
    apart from the class token's.

    Args:
        networks: LayerToLayerNetworks, built.
        source: the .npz file; "none" leaves them as they are.

    Raises:
        UserError: where the file is missing, unreadable or does not fit.
    """
    if source == "none":
        return
    names = {name for network in networks for _, name in vit_names(network)}
    with naming_source(source, _REMEDY):
        values = read_archive(source, names.__contains__, "f")
        if lacking := names - values.keys():
            raise UnfitFileError(f"holds no {min(lacking)}")
        for network in networks:
            for variable, name in vit_names(network):
                value = _fitting(values[name], name, variable, network.grid)
                variable.assign(value.reshape(variable.shape))


def vit_names(network: Any) -> Iterator[tuple[Any, str]]:
    """(variable, name in the file) of all that a LayerToLayerNetwork holds."""
    stem = network.features
    yield from _convolution(stem.root, "conv_root", "gn_root")
    for unit in stem.stages:
        place = unit.name.replace("_", "/")  # block1/unit1
        for number in (1, 2, 3):
            layer = getattr(unit, f"conv{number}")
            names = f"{place}/conv{number}", f"{place}/gn{number}"
            yield from _convolution(layer, *names)
        if unit.shortcut is not None:
            names = f"{place}/conv_proj", f"{place}/gn_proj"
            yield from _convolution(unit.shortcut, *names)
    yield from _map(network.embedding, "embedding")
    yield network.placed.token, "cls"
    yield network.placed.positions, f"Transformer/posembed_input/{_POSITIONS}"
    for number, block in enumerate(network.blocks):
        place = f"Transformer/encoderblock_{number}"
        for ours, theirs in _BLOCK_NORMS.items():
            yield from _norm(getattr(block, ours), f"{place}/{theirs}")
        for ours, theirs in _ATTENTION.items():
            name = f"{place}/MultiHeadDotProductAttention_1/{theirs}"
            yield from _map(getattr(block.attention, ours), name)
        yield from _map(block.mlp.widen, f"{place}/MlpBlock_3/Dense_0")
        yield from _map(block.mlp.narrow, f"{place}/MlpBlock_3/Dense_1")
    yield from _norm(network.norm, "Transformer/encoder_norm")


def _convolution(
    layer: Any, kernel: str, norm: str
) -> Iterator[tuple[Any, str]]:
    yield layer.kernel, f"{kernel}/kernel"
    yield from _norm(layer.norm, norm)


def _norm(layer: Any, place: str) -> Iterator[tuple[Any, str]]:
    yield layer.gamma, f"{place}/scale"
    yield layer.beta, f"{place}/bias"


def _map(layer: Any, place: str) -> Iterator[tuple[Any, str]]:
    yield layer.kernel, f"{place}/kernel"
    yield layer.bias, f"{place}/bias"


def _fitting(
    value: np.ndarray, name: str, variable: Any, grid: tuple[int, int]
) -> np.ndarray:
    shape, wanted = value.shape, tuple(variable.shape)
    if name.endswith(_POSITIONS):
        side = math.isqrt(max(shape[1] - 1, 0)) if len(shape) == 3 else 0
        fits = 0 < side <= _LARGEST_GRID and (
            shape == (1, 1 + side * side, wanted[-1])
        )
    else:
        # Theirs may have leading axes of one number, as in (1, 1, 1, C).
        ones = len(shape) - len(wanted)
        fits = shape == (1,) * ones + wanted
    if not fits:
        raise UnfitFileError(
            f"{name} has shape {shape}, the model needs {wanted}; only"
            " L2LTR's published size fits"
        )
    if not np.isfinite(value).all():
        raise UnfitFileError(f"{name} holds NaN or infinity")
    return _interpolated(value, grid) if name.endswith(_POSITIONS) else value


def _interpolated(table: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Positions [1, 1 + n * n, C] for a grid h x w: [1, 1 + h * w, C]."""
    first, rest = table[:, :1], table[0, 1:]
    side = math.isqrt(len(rest))
    square = rest.reshape(side, side, -1)
    zoom = (grid[0] / side, grid[1] / side, 1)
    moved = ndimage.zoom(square, zoom, order=1)
    return np.concatenate([first, moved.reshape(1, -1, table.shape[-1])], 1)
