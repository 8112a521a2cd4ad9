"""The polar transform's one equation ("Geometry", [6])."""

from __future__ import annotations

import numpy as np


def polar_to_aerial(
    row: np.ndarray, column: np.ndarray, side: int, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where the polar image's pixel (row, column) reads the aerial image.

    row' = S/2 + r cos(2 pi j / W), column' = S/2 - r sin(2 pi j / W),
    r = (S/2) (H - 1 - i) / H: the left edge looks south, W/4 west, the
    centre north, 3W/4 east; the top row is farthest, the bottom row the
    camera itself.

    Args:
        row, column: i and j, any broadcastable shapes, fractions allowed.
        side: S of the square aerial image, pixels.
        height, width: H and W of the polar image, pixels.

    Returns:
        Rows and columns in the aerial image, float64 pixels.
    """
    radius = (side / 2) * (height - 1 - np.asarray(row, float)) / height
    angle = 2 * np.pi * np.asarray(column, float) / width
    return side / 2 + radius * np.cos(angle), side / 2 - radius * np.sin(angle)


def sampling_grid(
    side: int, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Source rows and columns of every output pixel, float64 [H, W] each."""
    return polar_to_aerial(
        np.arange(height)[:, None], np.arange(width)[None], side, height, width
    )
