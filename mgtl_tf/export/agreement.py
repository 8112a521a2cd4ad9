"""Whether a converted model gives the SavedModel's descriptors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from mgtl_tf.utils.plain_path import plain_path

BOUND = 1e-4
"""Largest difference allowed: the Euclidean distance of two descriptors of
one image, both unit vectors. A similarity then moves by 1e-4 at most, on
the same image by 5e-9."""

Batches = dict[str, list[np.ndarray]]


def made_images(image_size: tuple[int, int]) -> Batches:
    """Batches that every model is asked about, uint8 [B, h, w, 3] each.

    Pure noise, and noise with large shapes as photographs have; as large as
    the network's input, larger, smaller and odd; one image and several.

    Args:
        image_size: (H, W) of the network's input.
    """
    height, width = image_size
    grounds = [
        (1, height, width),
        (2, 2 * height + 1, 2 * width + 3),
        (1, height // 2 + 1, width // 2 + 1),
        (1, height + 1, width // 2 + 1),
    ]
    sides = [(1, height), (2, 2 * height + 1), (1, width)]
    random = np.random.default_rng(0)
    return {
        "encode_ground": [_noise(random, *shape) for shape in grounds],
        "encode_satellite": [_noise(random, n, s, s) for n, s in sides],
    }


def descriptors(saved_model: Path, batches: Batches) -> Batches:
    """What the SavedModel in a folder answers, float32 [B, D] each.

    Args:
        saved_model: the folder.
        batches: for each signature, uint8 [B, h, w, 3].
    """
    with plain_path(saved_model) as plain:
        signatures = tf.saved_model.load(str(plain)).signatures

    def ask(name, pixels):
        answer = signatures[name](image_bytes=tf.constant(_files(pixels)))
        return answer["descriptor"].numpy()

    return {n: [ask(n, pixels) for pixels in b] for n, b in batches.items()}


def largest_difference(
    encoders: dict[str, Callable[[np.ndarray], np.ndarray]],
    batches: Batches,
    wanted: Batches,
) -> float:
    """The largest distance of two descriptors of the same image.

    Args:
        encoders: the two signatures in another format, from pixels.
        batches: for each, uint8 [B, h, w, 3].
        wanted: the SavedModel's descriptors of these.

    Returns:
        A Euclidean distance; not a number where a descriptor is none.
    """
    distances = [
        np.linalg.norm(encode(pixels) - answer, axis=-1).max()
        for name, encode in encoders.items()
        for pixels, answer in zip(batches[name], wanted[name], strict=True)
    ]
    return float(np.max(distances))


def batches_of(images: Iterable[tuple[np.ndarray, np.ndarray]]) -> Batches:
    """Real pairs, uint8 [h, w, 3] and [S, S, 3], as batches of one."""
    pairs = list(images)
    return {
        "encode_ground": [ground[None] for ground, _ in pairs],
        "encode_satellite": [aerial[None] for _, aerial in pairs],
    }


def _noise(
    random: np.random.Generator, count: int, height: int, width: int
) -> np.ndarray:
    """The first image large shapes under noise, the others pure noise."""
    images = random.integers(0, 256, (count, height, width, 3), np.uint8)
    coarse = random.integers(0, 256, (3, 7, 3), np.uint8)
    shapes = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    images[0] = shapes // 8 * 7 + images[0] // 8
    return images


def _files(pixels: np.ndarray) -> list[bytes]:
    """Images as PNG files, which lose nothing."""
    return [
        cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[
            1
        ].tobytes()
        for image in pixels
    ]
