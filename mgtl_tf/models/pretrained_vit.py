"""Starting L2LTR from the public weights of R50+ViT-B/16, an .npz file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import ndimage

from mgtl_tf.utils.array_files import ArrayArchive
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError

_REMEDY = (
    "give the .npz of R50+ViT-B/16 as its authors publish it, or"
    " backbone_weights=none"
)
_ATTENTION = "MultiHeadDotProductAttention_1"
# Ours to theirs. The key's norm begins as a copy of the block's first one.
_NORMS = {
    "norm": "LayerNorm_0",
    "key_norm": "LayerNorm_0",
    "mlp_norm": "LayerNorm_2",
}
_POSITIONS = "pos_embedding"
_LARGEST_GRID = 256
_MAPS = {
    "query_dense": "query",
    "key_dense": "key",
    "value_dense": "value",
    "output_dense": "out",
}
_PERCEPTRON = {"widen": "Dense_0", "narrow": "Dense_1"}


def load_vit_weights(networks: list[Any], source: str) -> None:
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
    try:
        with ArrayArchive(source) as archive:
            for network in networks:
                for variable, name in names_in_file(network):
                    _assign(variable, name, archive, network.grid)
    except UnfitFileError as error:
        raise UserError(
            f"backbone_weights={source}: {error}; {_REMEDY}"
        ) from error


def names_in_file(network: Any) -> Iterator[tuple[Any, str]]:
    """(variable, name in the file) of all that a LayerToLayerNetwork holds."""
    stem = network.stem
    yield stem.root.kernel, "conv_root/kernel"
    yield from _norm(stem.root_norm, "gn_root")
    for unit in stem.stages:
        place = unit.name.replace("_", "/")  # block1/unit1
        for number in (1, 2, 3):
            kernel = getattr(unit, f"conv{number}").kernel
            yield kernel, f"{place}/conv{number}/kernel"
            yield from _norm(
                getattr(unit, f"norm{number}"), f"{place}/gn{number}"
            )
        if unit.shortcut is not None:
            yield unit.shortcut.kernel, f"{place}/conv_proj/kernel"
            yield from _norm(unit.shortcut_norm, f"{place}/gn_proj")
    yield from _map(network.embedding, "embedding")
    yield network.placed.token, "cls"
    yield network.placed.positions, "Transformer/posembed_input/pos_embedding"
    for number, block in enumerate(network.blocks):
        yield from _block(block, f"Transformer/encoderblock_{number}")
    yield from _norm(network.norm, "Transformer/encoder_norm")


def _block(block: Any, place: str) -> Iterator[tuple[Any, str]]:
    for ours, theirs in _NORMS.items():
        yield from _norm(getattr(block, ours), f"{place}/{theirs}")
    for ours, theirs in _MAPS.items():
        name = f"{place}/{_ATTENTION}/{theirs}"
        yield from _map(getattr(block.attention, ours), name)
    for ours, theirs in _PERCEPTRON.items():
        layer = getattr(block.mlp, ours)
        yield from _map(layer, f"{place}/MlpBlock_3/{theirs}")


def _norm(layer: Any, place: str) -> Iterator[tuple[Any, str]]:
    yield layer.gamma, f"{place}/scale"
    yield layer.beta, f"{place}/bias"


def _map(layer: Any, place: str) -> Iterator[tuple[Any, str]]:
    yield layer.kernel, f"{place}/kernel"
    yield layer.bias, f"{place}/bias"


def _assign(
    variable: Any, name: str, archive: ArrayArchive, grid: tuple[int, int]
) -> None:
    if name not in archive.names:
        raise UnfitFileError(f"holds no {name}")
    wanted = tuple(variable.shape)
    value = archive.read(name, "f")
    if not _fits(value.shape, wanted, name):
        raise UnfitFileError(
            f"{name} has shape {value.shape}, the model needs {wanted}; only"
            " L2LTR's published size fits"
        )
    if not np.isfinite(value).all():
        raise UnfitFileError(f"{name} holds NaN or infinity")
    if name.endswith(_POSITIONS):
        value = _interpolated(value, grid)
    variable.assign(value.reshape(wanted))


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...], name: str) -> bool:
    if name.endswith(_POSITIONS):
        square = math.isqrt(max(shape[1] - 1, 0)) if len(shape) == 3 else 0
        return 0 < square <= _LARGEST_GRID and shape == (
            1,
            1 + square * square,
            wanted[-1],
        )
    # Theirs may have leading axes of one number, as in (1, 1, 1, C).
    return math.prod(shape) == math.prod(wanted) and (
        shape[-len(wanted) :] == wanted
    )


def _interpolated(table: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Positions [1, 1 + n * n, C] for a grid h x w: [1, 1 + h * w, C]."""
    first, rest = table[:, :1], table[0, 1:]
    side = math.isqrt(len(rest))
    square = rest.reshape(side, side, -1)
    zoom = (grid[0] / side, grid[1] / side, 1)
    moved = ndimage.zoom(square, zoom, order=1)
    return np.concatenate([first, moved.reshape(1, -1, table.shape[-1])], 1)
