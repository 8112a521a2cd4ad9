"""Small pictures of retrieval for TensorBoard: network inputs, stacked."""

from __future__ import annotations

import cv2
import numpy as np

from mgtl_tf.datasets.aerial_images import first_rows, one_each
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.retrieval.ann import SearchEngine
from mgtl_tf.utils.scorers import DOT, Scorer

_ANSWERS = 5
_WIDTH = 320
_BORDER = 3
_TRUE_COLOR = (22, 163, 74)
_WRONG_COLOR = (203, 213, 225)
_QUERY_COLOR = (30, 41, 59)


def fixed_rows(count: int, pictures: int) -> np.ndarray:
    """Rows spread evenly over `count` pairs: the same at every evaluation."""
    return np.linspace(0, count - 1, min(pictures, count)).astype(np.int64)


def retrieval_thumbnails(
    rows: np.ndarray,
    ground: np.ndarray,
    satellite: np.ndarray,
    source: PairSource,
    images: np.ndarray,
    scorer: Scorer = DOT,
) -> np.ndarray:
    """Each query panorama over its five best polar satellite images.

    All are what the network sees, one column an azimuth in all of them; the
    true place is framed green. It is not there where others are nearer.

    Args:
        rows: int [Q], the queries.
        ground, satellite: descriptors of all pairs, float32 [N, D].
        source: the pixels of these pairs.
        images: int [N], the number of each pair's aerial image; each stands
            among the answers once.
        scorer: the system's.

    Returns:
        RGB uint8 [Q, height, width, 3]; at most 326 pixels wide.

    Raises:
        UserError: for an image file that cannot be read.
    """
    gallery = one_each(satellite, images)
    engine = SearchEngine(gallery, scorer)
    nearest, _ = engine.search(ground[rows], _ANSWERS)
    found = first_rows(images)[nearest]  # [Q, 5]
    # Every image is read once, also where it answers several queries.
    needed = np.unique(np.concatenate([rows, found.ravel()]))
    panoramas, aerials = (
        dict(zip(needed.tolist(), pixels, strict=True))
        for pixels in source.load(needed)
    )
    pictures = []
    for row, answers in zip(rows.tolist(), found.tolist(), strict=True):
        strips = [_framed(panoramas[row], _QUERY_COLOR)]
        for answer in answers:
            is_true = images[answer] == images[row]
            color = _TRUE_COLOR if is_true else _WRONG_COLOR
            strips.append(_framed(aerials[answer], color))
        pictures.append(np.concatenate(strips))
    return np.stack(pictures)


def _framed(image: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """At most `_WIDTH` wide, with a border of one colour."""
    height, width = image.shape[:2]
    if width > _WIDTH:
        size = _WIDTH, max(1, round(height * _WIDTH / width))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    edges = (_BORDER,) * 4
    return cv2.copyMakeBorder(
        np.ascontiguousarray(image), *edges, cv2.BORDER_CONSTANT, value=color
    )
