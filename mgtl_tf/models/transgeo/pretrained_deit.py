"""Starting TransGeo from the public weights of DeiT, an .npz file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mgtl_tf.layers.bilinear_resize import BilinearResize
from mgtl_tf.models.pretrained import naming_source
from mgtl_tf.utils.array_files import read_archive
from mgtl_tf.utils.plain_files import UnfitFileError

_REMEDY = (
    "give the arrays of deit_small_distilled_patch16_224 by their names in"
    " timm, an .npz, or backbone_weights=none"
)
_LARGEST_GRID = 256
_Values = dict[str, np.ndarray]
_Found = Iterator[tuple[Any, str, np.ndarray]]


def load_deit(networks: Sequence[Sequence[Any]], source: str) -> None:
    """Copies the weights of a distilled DeiT into every network.

    Positions are interpolated to the grid of the network's own images, apart
    from those of both tokens; the heads are those of ImageNet's classes.

    Args:
        networks: pairs of VisionTransformer and TokenHeads, built.
        source: the .npz file, of the arrays that timm's model has, by their
            names there; "none" leaves the networks as they are.

    Raises:
        UserError: where the file is missing, unreadable or does not fit.
    """
    if source == "none":
        return
    with naming_source(source, _REMEDY):
        values = _Archive(read_archive(source, lambda name: True, "f"))
        fitting = []
        for trunk, heads in networks:
            for variable, name, value in _of_network(trunk, heads, values):
                wanted = tuple(variable.shape)
                if value.size != math.prod(wanted):
                    raise UnfitFileError(
                        f"{name} has shape {values[name].shape}, the model"
                        f" needs {wanted}; only TransGeo's published size fits"
                    )
                if not np.isfinite(value).all():
                    raise UnfitFileError(f"{name} holds NaN or infinity")
                fitting.append((variable, value.reshape(wanted)))
    for variable, value in fitting:
        variable.assign(value)


def resized_positions(
    table: Any, source: tuple[int, int], grid: tuple[int, int]
) -> np.ndarray:
    """Positions of one grid for another, bilinearly, pixels being areas.

    Args:
        table: [1, N + h * w, C], of N tokens and the cells of `source`.
        source: h, w.
        grid: h', w'.

    Returns:
        [1, N + h' * w', C].
    """
    table = np.asarray(table)
    first = table.shape[1] - math.prod(source)
    cells = table[:, first:].reshape(1, *source, -1)
    moved = np.asarray(BilinearResize(grid, dtype="float32")(cells))
    moved = moved.reshape(1, math.prod(grid), -1)
    return np.concatenate([table[:, :first], moved], axis=1)


class _Archive(dict):
    """The arrays of a file; one that is missing is named."""

    def __missing__(self, name: str) -> np.ndarray:
        raise UnfitFileError(f"holds no {name}")


def _of_network(trunk: Any, heads: Any, values: _Values) -> _Found:
    """(variable, name in the file, value) of all that a network holds."""
    name = "patch_embed.proj.weight"
    if values[name].ndim != 4:
        raise UnfitFileError(f"{name} is no convolution's")
    yield trunk.embedding.kernel, name, values[name].transpose(2, 3, 1, 0)
    name = "patch_embed.proj.bias"
    yield trunk.embedding.bias, name, values[name]
    tokens = [values[name].ravel() for name in ("cls_token", "dist_token")]
    yield trunk.placed.token, "cls_token", np.concatenate(tokens)
    name = "pos_embed"
    yield trunk.placed.positions, name, _positions(values[name], trunk)
    for number, block in enumerate(trunk.blocks):
        yield from _of_block(block, f"blocks.{number}", values)
    yield from _norm(trunk.norm, "norm", values)
    for layer, name in zip(heads.maps, ("head", "head_dist"), strict=True):
        yield from _map(layer, name, values)


def _of_block(block: Any, place: str, values: _Values) -> _Found:
    yield from _norm(block.norm, f"{place}.norm1", values)
    yield from _norm(block.mlp_norm, f"{place}.norm2", values)
    layer = block.attention
    thirds = layer.query_dense, layer.key_dense, layer.value_dense
    name = f"{place}.attn.qkv"
    kernels = np.array_split(values[f"{name}.weight"], 3)
    biases = np.array_split(values[f"{name}.bias"], 3)
    for third, kernel, bias in zip(thirds, kernels, biases, strict=True):
        yield third.kernel, f"{name}.weight", kernel.T
        yield third.bias, f"{name}.bias", bias
    yield from _map(layer.output_dense, f"{place}.attn.proj", values)
    yield from _map(block.mlp.widen, f"{place}.mlp.fc1", values)
    yield from _map(block.mlp.narrow, f"{place}.mlp.fc2", values)


def _norm(layer: Any, place: str, values: _Values) -> _Found:
    yield layer.gamma, f"{place}.weight", values[f"{place}.weight"]
    yield layer.beta, f"{place}.bias", values[f"{place}.bias"]


def _map(layer: Any, place: str, values: _Values) -> _Found:
    # Theirs have outputs before inputs.
    yield layer.kernel, f"{place}.weight", values[f"{place}.weight"].T
    yield layer.bias, f"{place}.bias", values[f"{place}.bias"]


def _positions(table: np.ndarray, trunk: Any) -> np.ndarray:
    count = trunk.placed.count
    side = math.isqrt(max(table.shape[1] - count, 0)) if table.ndim == 3 else 0
    wanted = 1, count + side * side, trunk.channels
    if not 0 < side <= _LARGEST_GRID or table.shape != wanted:
        raise UnfitFileError(f"pos_embed has shape {table.shape}, no square's")
    return resized_positions(table, (side, side), trunk.grid)
