"""Which direction each pixel shows: the maps that OriCNN is given (2019).

They are computed at the size of the network's input. Maps that are stored and
resized would mix +pi and -pi where a turn begins.
"""

from __future__ import annotations

import math

import numpy as np


def panorama_directions(height: int, width: int) -> np.ndarray:
    """Azimuth / pi and pitch / pi of a panorama, float32 [H, W, 2].

    As in the authors' file for CVUSA: the azimuth runs from -1 to 1, 0 in the
    middle, north; the pitch has the same angle a pixel and is negative at
    the top, see `top_pitch`. Of panoramas that were squeezed to their size,
    as CVACT's are, `OrientationChannels` stretches it.
    """
    highest = top_pitch(height, width)
    pitch = np.linspace(-highest, highest, height)
    return _maps(np.linspace(-1, 1, width), pitch[:, None])


def top_pitch(height: int, width: int) -> float:
    """Size of the top row's pitch / pi in `panorama_directions`."""
    return (height - 1) / max(1, width - 1)


def polar_directions(height: int, width: int) -> np.ndarray:
    """Azimuth / pi and 2 rho - 1 of a polar image, float32 [H, W, 2].

    rho is the distance from the camera, 1 at the corner of the aerial image
    that it was made of, as in `square_directions`.
    """
    radius = (height - 1 - np.arange(height)) / height / math.sqrt(2)
    return _maps(np.linspace(-1, 1, width), 2 * radius[:, None] - 1)


def square_positions(side: int) -> np.ndarray:
    """How far east and north of the camera, float32 [S, S, 2].

    In half sides, -1 to 1. Unlike directions they may be interpolated, and
    so turned, mirrored and cropped as images are.
    """
    places = np.linspace(-1, 1, side) if side > 1 else np.zeros(1)
    return _maps(places, -places[:, None])


def directions_of(positions: np.ndarray) -> np.ndarray:
    """Azimuth / pi, clockwise from north, and 2 rho - 1 of positions.

    Args:
        positions: of `square_positions`, float32 [..., 2].

    Returns:
        float32 [..., 2], both -1 to 1; rho is 1 at the image's corners. (The
        authors' own scale and sign could not be read from their files.)
    """
    east, north = positions[..., 0], positions[..., 1]
    radius = np.hypot(east, north) / math.sqrt(2)
    azimuth = np.arctan2(east, north) / np.pi
    return np.stack([azimuth, 2 * radius - 1], axis=-1).astype(np.float32)


def _maps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.stack(np.broadcast_arrays(first, second), -1).astype(np.float32)
