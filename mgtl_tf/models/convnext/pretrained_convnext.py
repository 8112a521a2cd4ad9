"""Starting ConvNeXt from weights of Keras, downloaded or in a file."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np

from mgtl_tf.layers.trunks.convnext_block import ConvNeXtBlock
from mgtl_tf.models.pretrained import naming_source
from mgtl_tf.utils.plain_files import UnfitFileError, first_line, open_plain

_REMEDY = (
    "give a file of Keras' weights of the same ConvNeXt without its top (.h5"
    " as Keras publishes it, or .weights.h5), or backbone_weights=none"
)
# Keras' own, by depths and widths.
_OF_KERAS = {
    ((3, 3, 9, 3), (96, 192, 384, 768)): "ConvNeXtTiny",
    ((3, 3, 27, 3), (96, 192, 384, 768)): "ConvNeXtSmall",
    ((3, 3, 27, 3), (128, 256, 512, 1024)): "ConvNeXtBase",
    ((3, 3, 27, 3), (192, 384, 768, 1536)): "ConvNeXtLarge",
    ((3, 3, 27, 3), (256, 512, 1024, 2048)): "ConvNeXtXLarge",
}
_MOST_BYTES = 2**31


def load_convnext(networks: list[tuple[Any, Any]], source: str) -> None:
    """Copies ConvNeXt's weights into every network.

    Args:
        networks: (ConvNeXtFeatures, the LayerNorm of its means), built.
        source: "imagenet" (Keras' own download, its checksum checked by
            Keras: -T and -S of ImageNet-1k, larger ones of ImageNet-21k
            and -1k, at 224 pixels), "none", or a file of Keras' weights
            without the top.

    Raises:
        UserError: where they are missing, unreadable or do not fit, with
            the alternatives.
    """
    if source == "none":
        return
    with naming_source(source, _REMEDY):
        values = _values(networks[0][0], source)
        for features, norm in networks:
            _assign(features, norm, values)


def _values(features: Any, source: str) -> list[np.ndarray]:
    """The arrays of Keras' network, in the order of its layers."""
    kind = _OF_KERAS.get((features.depths, features.widths))
    if kind is None:
        raise UnfitFileError(
            "convnext_depths and convnext_widths (times width_multiplier) are"
            " those of no ConvNeXt that Keras has"
        )
    if source != "imagenet":
        with open_plain(source, _MOST_BYTES):
            """Keras would wait for a pipe, or name no reason."""
    try:
        with warnings.catch_warnings():
            # Of layers that a file lacks, Keras only warns.
            warnings.simplefilter("error", UserWarning)
            network = getattr(keras.applications, kind)
            made = network(include_top=False, weights=source)
    except Exception as error:  # Keras raises many types for broken files
        failed = "the download failed" if source == "imagenet" else "unreadable"
        raise UnfitFileError(f"{failed} ({first_line(error)})") from error
    return made.get_weights()


def _assign(features: Any, norm: Any, values: list[np.ndarray]) -> None:
    """Sets a network's weights from arrays in the order of Keras' layers."""
    variables = sum(map(_in_order, features.stages), [])
    variables += norm.variables
    if len(variables) != len(values):
        raise UnfitFileError(
            f"holds {len(values)} arrays, the model {len(variables)}"
        )
    fitting = []
    for variable, value in zip(variables, values, strict=True):
        wanted = tuple(variable.shape)
        if value.ndim == 4 and value.shape[2] == 1:
            value = value.transpose(0, 1, 3, 2)  # of C groups to depthwise
        if value.shape != wanted:
            raise UnfitFileError(
                f"{variable.path} has shape {value.shape}, the model needs"
                f" {wanted}"
            )
        if not np.isfinite(value).all():
            raise UnfitFileError(f"{variable.path} holds no finite numbers")
        fitting.append(value)
    for variable, value in zip(variables, fitting, strict=True):
        variable.assign(value)


def _in_order(stage: Any) -> list[Any]:
    """A stage's variables; Keras has a block's scale last."""
    if not isinstance(stage, ConvNeXtBlock):
        return list(stage.variables)
    layers = stage.depthwise, stage.norm, stage.widen, stage.narrow
    return [*(v for layer in layers for v in layer.variables), stage.scale]
