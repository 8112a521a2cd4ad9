"""Parts of a model: digests of its VGG-16, and starting from another's."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from mgtl_tf.config import ModelConfig
from mgtl_tf.utils.plain_files import UnfitFileError


def tensors_digest(variables: Iterable[Any]) -> str:
    """SHA-256 of float32 values in their order, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(np.ascontiguousarray(variable, np.float32).tobytes())
    return digest.hexdigest()


def backbone_digest(model: keras.Model) -> str:
    """SHA-256 of the weights that a model's VGG-16 branches hold now.

    Of one branch, convolution by convolution, kernel before bias, where both
    hold the same; else of the ground branch and then the satellite's. Empty
    for a system without VGG-16.
    """
    weights = [backbone.block_weights() for backbone in model.backbones]
    if len({tensors_digest(own) for own in weights}) == 1:
        del weights[1:]
    return tensors_digest(sum(weights, [])) if weights else ""


def frozen_digest(model: keras.Model) -> str:
    """SHA-256 of what the fixed blocks of both branches compute with."""
    return tensors_digest(
        weight
        for backbone in model.backbones
        for weight in backbone.block_weights(backbone.frozen_blocks)
    )


def copy_parts(model: keras.Model, source: keras.Model) -> None:
    """Starts a model's `inherited_parts` from those of another.

    Args:
        model: whose parts are set.
        source: whose `copied_parts` are read; of any system. Blocks of
            VGG-16 after the model's last are left out.

    Raises:
        UnfitFileError: where the model has no such part, or the source lacks
            one, or they differ; nothing is set then.
    """
    parts, given = model.inherited_parts, source.copied_parts
    if not parts:
        raise UnfitFileError(f"{model.config.system} has no VGG-16")
    pairs = []
    for part, ours in parts.items():
        if part not in given:
            raise UnfitFileError(f"{source.config.system} has no {part}")
        wanted, found = _by_name(ours), _by_name(given[part])
        later = {_block(name) for name in found} - {_block(n) for n in wanted}
        found = {n: w for n, w in found.items() if _block(n) not in later}
        for name in {**wanted, **found}:
            if name in wanted and name in found:
                variable, value = wanted[name], found[name]
                found[name] = model.inherited_value(variable, value)
            shapes = [
                tuple(weights[name].shape) if name in weights else "missing"
                for weights in (found, wanted)
            ]
            if shapes[0] != shapes[1]:
                raise UnfitFileError(
                    f"its {name} is {shapes[0]}, this model's {shapes[1]}"
                )
            pairs.append((wanted[name], found[name]))
    for variable, value in pairs:
        variable.assign(value)


def _block(name: str) -> str:
    """That of VGG-16 in a weight's name, block1 to block5; else empty."""
    found = re.match("block[0-9]+", name)
    return found[0] if found else ""


def _by_name(weights: list[Any]) -> dict[str, Any]:
    """Weights by their paths in what holds all of them."""
    paths = [w.path.split("/") for w in weights]
    # A layer alone keeps its name: block1_conv1/kernel.
    levels = zip(*(path[:-2] for path in paths), strict=False)
    same = itertools.takewhile(lambda names: len(set(names)) == 1, levels)
    shared = sum(1 for _ in same)
    named = zip(paths, weights, strict=True)
    return {"/".join(path[shared:]): weight for path, weight in named}


def vgg16_arguments(config: ModelConfig) -> dict[str, Any]:
    """A config's VGG-16 as arguments of VGG16Features."""
    return {
        "width_multiplier": config.width_multiplier,
        "poolings": config.poolings,
        "normalization": config.backbone_normalization,
        "dropout": config.backbone_dropout,
        "rematerialize": config.rematerialize,
    }


def transformer_arguments(config: ModelConfig) -> dict[str, Any]:
    """A config's vision transformer as arguments of TransformerBlock."""
    return {
        "heads": config.heads,
        "mlp_ratio": config.mlp_ratio,
        "dropout": config.backbone_dropout,
        "residual_init": config.residual_init,
    }
