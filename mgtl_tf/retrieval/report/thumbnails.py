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
    """Each query panorama over its five best satellite images.

    All are what the network sees: polar images stand below one another, one
    column an azimuth in all of them, square ones side by side. The true place
    is framed green. It is not there where others are nearer.

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
        panorama = _framed(panoramas[row], _WIDTH, _QUERY_COLOR)
        width = panorama.shape[1]
        square = aerials[row].shape[0] == aerials[row].shape[1]
        most = width // _ANSWERS - 2 * _BORDER if square else _WIDTH
        framed = []
        for answer in answers:
            is_true = images[answer] == images[row]
            color = _TRUE_COLOR if is_true else _WRONG_COLOR
            framed.append(_framed(aerials[answer], most, color))
        answered = np.concatenate(framed, axis=1 if square else 0)
        pictures.append(np.concatenate(_alike_wide(panorama, answered)))
    return np.stack(pictures)


def _framed(
    image: np.ndarray, most: int, color: tuple[int, int, int]
) -> np.ndarray:
    """At most so wide, with a border of one colour around."""
    height, width = image.shape[:2]
    if width > most:
        size = max(1, most), max(1, round(height * most / width))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    edges = (_BORDER,) * 4
    return cv2.copyMakeBorder(
        np.ascontiguousarray(image), *edges, cv2.BORDER_CONSTANT, value=color
    )


def _alike_wide(*images: np.ndarray) -> list[np.ndarray]:
    """White is added at the right of the narrower ones."""
    width = max(image.shape[1] for image in images)
    return [
        np.pad(
            image,
            ((0, 0), (0, width - image.shape[1]), (0, 0)),
            constant_values=255,
        )
        for image in images
    ]
