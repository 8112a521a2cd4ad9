"""What a map lacks under a crop, filled from what lies around it."""

from __future__ import annotations

import cv2
import numpy as np

_RADIUS = 3


def filled(pixels: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Missing pixels as Telea's inpainting continues what is there.

    Black holes or bands would be seen by a model as something of the place.

    Args:
        pixels: RGB uint8 [S, S, 3].
        missing: bool [S, S]; not all of them.

    Returns:
        RGB uint8 [S, S, 3]; pixels that are not missing are as they were.
    """
    if not missing.any():
        return pixels
    mask = missing.astype(np.uint8)
    painted = cv2.inpaint(pixels, mask, _RADIUS, cv2.INPAINT_TELEA)
    return np.where(missing[..., None], painted, pixels)
