"""Images as label maps, for systems that read what is seen, not how.

A file holds a class a pixel: 0 sky, 1 building, 2 road, 3 tree. As network
input the classes are colours, so that resizing by area gives shares.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgtl_tf.datasets.records import Pair
from mgtl_tf.utils.errors import UserError

COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)
"""Class to RGB: red building, green road, blue tree; sky is what is left."""

_PANORAMA = (
    "panorama, which this system reads; CVUSA's are in its download"
    " (streetview/annotations),"
)
_AERIAL = (
    "aerial image, which this system learns from; CVUSA has none"
    " (bingmap/annotations),"
)


def coloured(image: np.ndarray) -> np.ndarray:
    """A decoded label file, RGB uint8 [h, w, 3] of equal channels, coloured.

    Raises:
        UserError: for values that are no class.
    """
    labels = image[..., 0]
    if (image != labels[..., None]).any() or labels.max(initial=0) > 3:
        raise UserError(
            "is no label map: its pixels must be grey levels 0 (sky), 1"
            " (building), 2 (road) and 3 (tree)"
        )
    return COLOURS[labels]


def with_labels(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs with their label files in place of panoramas.

    Raises:
        UserError: naming the first pair without one.
    """
    return tuple(
        dataclasses.replace(pair, ground=_there(pair, pair.labels, _PANORAMA))
        for pair in pairs
    )


def with_aerial_labels(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs with their aerial label files in place of aerial images.

    Raises:
        UserError: naming the first pair without one.
    """
    return tuple(
        dataclasses.replace(
            pair, aerial=_there(pair, pair.aerial_labels, _AERIAL)
        )
        for pair in pairs
    )


def _there(pair: Pair, labels: Path | None, of: str) -> Path:
    if labels is None or not labels.is_file():
        raise UserError(
            f"{labels or f'pair {pair.id}'}: there is no label map of its {of},"
            " make_world writes them with labels"
        )
    return labels
