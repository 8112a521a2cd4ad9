"""North-up aerial images of a world that is turned and mirrored."""

from __future__ import annotations

import cv2
import numpy as np


def turn_square(
    images: np.ndarray, turns: np.ndarray, mirrored: np.ndarray, steps: int
) -> np.ndarray:
    """What `turn_and_mirror` does to a panorama, to an aerial image.

    Where the panorama's column j shows what column j + t showed, the image
    shows in direction a what it showed in direction a + 2 pi t / W: it is
    turned to the left by that angle; where column j shows column t - j, it is
    mirrored at its vertical axis thereafter. Right angles are exact; else
    pixels are interpolated, and those that come from outside are reflected at
    the border.

    Args:
        images: [B, S, S, C], uint8 or float32.
        turns: t, int [B].
        mirrored: int [B], 1 where mirrored.
        steps: W, how many turns are a whole one.

    Returns:
        as `images`.
    """
    turned = np.empty_like(images)
    for place, (image, turn, mirror) in enumerate(
        zip(images, turns.tolist(), mirrored.tolist(), strict=True)
    ):
        image = _turned(image, turn, steps)
        turned[place] = image[:, ::-1] if mirror else image
    return turned


def _turned(image: np.ndarray, turn: int, steps: int) -> np.ndarray:
    quarters, rest = divmod(4 * turn, steps)
    if not rest:
        return np.rot90(image, quarters)
    side = image.shape[0]
    centre = ((side - 1) / 2,) * 2
    matrix = cv2.getRotationMatrix2D(centre, 360 * turn / steps, 1.0)
    return cv2.warpAffine(
        image, matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101
    )
