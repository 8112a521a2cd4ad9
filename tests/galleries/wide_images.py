"""Small image files that an encoder can tell apart: by their widths."""

from pathlib import Path

import cv2
import numpy as np


def write_wide(path: Path, width: int) -> None:
    """A black image, 1 pixel high."""
    cv2.imwrite(f"{path}.png", np.zeros((1, width, 3), np.uint8))
    Path(f"{path}.png").rename(path)


def widths(images: list[np.ndarray]) -> list[int]:
    """Of what an encoder is given."""
    return [image.shape[1] for image in images]
