"""Small image files that an encoder can tell apart: by their widths."""

from pathlib import Path

import numpy as np

from polar.png_files import as_png


def write_wide(path: Path, width: int) -> None:
    """A black image, 1 pixel high."""
    path.write_bytes(as_png(np.zeros((1, width, 3), np.uint8)))


def widths(images: list[np.ndarray]) -> list[int]:
    """Of what an encoder is given."""
    return [image.shape[1] for image in images]
