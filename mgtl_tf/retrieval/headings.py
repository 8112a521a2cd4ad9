"""Panoramas whose north is unknown: every rotation is searched.

As in DSM (Shi et al. 2020) the heading is the turn under which a place
answers best. There the features are turned; here the image is, because these
networks know where their columns stand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from polar.panorama_notes import turned_to_north

UNTRAINED = (
    "--unknown_heading: the model was not trained with --roll_and_mirror; its"
    " headings may be poor"
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
    """Whether training turned its views, so that no azimuth was special."""
    return bool(details["config"]["data"].get("roll_and_mirror", False))


def rotated(pixels: np.ndarray, count: int) -> list[np.ndarray]:
    """A panorama rotated by each of T equal parts of 360 degrees.

    Args:
        pixels: RGB uint8 [h, w, 3].
        count: T.

    Returns:
        T like it. In the t-th, north is in the centre column if the
        original's centre column looks towards t * 360 / T degrees.
    """
    return [turned_to_north(pixels, t * 360 / count) for t in range(count)]


def best_rotations(
    rows: np.ndarray, similarities: np.ndarray, top_k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The most similar places over all rotations, each by its best.

    A place among the K best under its best turn is among the K best answers
    of that turn, so these are exact.

    Args:
        rows: answers of the T turns, int [T, K], K >= top_k unless the
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
