"""Panoramas whose north is unknown: every rotation is searched.

As in DSM (Shi et al. 2020) the heading is the rotation under which a place
answers best. There the features are rotated; here the image is, because these
networks use the position of their columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

UNTRAINED = (
    "unknown_heading: the model was not trained with roll_and_mirror or"
    " orientation_noise; its headings may be poor"
)
"""A warning."""


def rotations(details: Mapping[str, Any]) -> int:
    """T, the azimuth positions of a model's descriptors.

    Args:
        details: of `Encoder.details`.
    """
    model = details["config"]["model"]
    return max(1, math.ceil(model["image_size"][1] / 2 ** model["poolings"]))


def trained_with_rotations(details: Mapping[str, Any]) -> bool:
    """Whether the training images were rotated at random."""
    data = details["config"]["data"]
    names = ("roll_and_mirror", "orientation_noise")
    return any(data.get(name) for name in names)


def best_rotations(
    rows: np.ndarray, similarities: np.ndarray, top_k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The most similar places over all rotations, each by its best.

    A place among the K best under its best rotation is among the K best
    answers of that rotation, so these are exact.

    Args:
        rows: answers of the T rotations, int [T, K], K >= top_k unless the
            gallery is smaller.
        similarities: theirs, [T, K].
        top_k: how many places.

    Returns:
        rows int [k], similarities [k] and headings in degrees [k], most
        similar first, equal ones by row.
    """
    count, width = rows.shape
    degrees = np.repeat(np.arange(count) * 360.0 / count, width)
    order = np.lexsort((rows.ravel(), -similarities.ravel()))
    _, first = np.unique(rows.ravel()[order], return_index=True)
    best = order[np.sort(first)][:top_k]
    return rows.ravel()[best], similarities.ravel()[best], degrees[best]
