"""Descriptors of pairs and images, batch by batch, by one traced encoder."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.taking import raising_user_errors
from mgtl_tf.utils.errors import UserError

Distractors = tuple[Sequence[Pair], Collection[dict[str, Any]]]
"""`AerialImage.as_pair` of images, and their batches."""

# A model is evaluated many times while it trains: one trace serves all.
_ENCODERS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def embed(
    model: keras.Model,
    batches: Collection[dict[str, Any]],
    progress: Callable[[int], Any] | None = None,
    pairs: Sequence[Pair] | None = None,
    first_block: int = 0,
    encode: Callable[..., tuple[Any, Any]] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors of all pairs, each view by its own encoder (R12).

    Args:
        model: of `build_model`.
        batches: of `eval_batches`: {"ground", "satellite": [B, H, W, 3],
            "valid": bool [B]}; padding is left out of the answer. Their
            number must be known: the answer is the only thing held.
        progress: called with the number of pairs done since its last call,
            as the `update` of a tqdm bar is.
        pairs: records of the batches, in their order; the answer is checked
            where they are given.
        first_block: N: the batches hold what the model's first N blocks of
            VGG-16 gave.
        encode: in place of the model's encoders: images or features of both
            views, and `first_block`, to both descriptors.

    Returns:
        ground and satellite descriptors, float32 [N, D] each.

    Raises:
        UserError: for an image file that cannot be read, or a descriptor
            that is not finite, naming the pair.
        ValueError: where there is no batch, or `pairs` are others.
    """
    compiled = _compiled(encode) if encode else _encoder(model)
    start = {"first_block": first_block} if first_block else {}
    return _embedded(compiled, batches, progress, pairs, start)


def with_aerial(
    satellite: np.ndarray,
    model: keras.Model,
    distractors: Distractors,
    progress: Callable[[int], Any] | None = None,
) -> np.ndarray:
    """Descriptors of pairs' aerial images and, after them, of distractors.

    Args:
        satellite: those of the pairs, [Q, D].
        model, progress: as of `embed`.
        distractors: whose panoramas are not looked at.

    Returns:
        float32 [R, D].

    Raises:
        UserError, ValueError: as `embed`.
    """
    images, batches = distractors
    found = embed_aerial(model, batches, progress, images)
    return np.concatenate([satellite, found])


def embed_aerial(
    model: keras.Model,
    batches: Collection[dict[str, Any]],
    progress: Callable[[int], Any] | None = None,
    images: Sequence[Pair] | None = None,
) -> np.ndarray:
    """Descriptors of aerial images alone, float32 [R, D].

    Args:
        model, batches, progress: as of `embed`; panoramas are not looked at.
        images: as `pairs` of `embed`.

    Raises:
        UserError, ValueError: as `embed`.
    """
    encode = _encoders(model)[1]
    return _embedded(encode, batches, progress, images, {})[1]


def _embedded(
    compiled: tf.types.experimental.PolymorphicFunction,
    batches: Collection[dict[str, Any]],
    progress: Callable[[int], Any] | None,
    pairs: Sequence[Pair] | None,
    start: dict[str, int],
) -> tuple[np.ndarray, np.ndarray]:
    """See `embed`."""
    if not len(batches):
        raise ValueError("there is no batch to embed")
    found: list[np.ndarray] = []
    count = 0
    for batch in raising_user_errors(batches):
        valid = np.asarray(batch["valid"])
        parts = compiled(batch["ground"], batch["satellite"], **start)
        if not found:
            # Parts that are joined in the end would take the memory twice;
            # pages that are never filled cost nothing.
            rows = len(batches) * len(valid)
            found = [np.empty((rows, p.shape[1]), np.float32) for p in parts]
        done, count = count, count + int(valid.sum())
        for whole, part in zip(found, parts, strict=True):
            whole[done:count] = part.numpy()[valid]
        if progress is not None:
            progress(count - done)
    ground, satellite = (whole[:count] for whole in found)
    if pairs is not None:
        require_finite(ground, satellite, pairs)
    return ground, satellite


def pair_bar(doing: str, pairs: Sequence[Any]) -> tqdm:
    """A progress bar over pairs, removed when it is done."""
    return tqdm(
        total=len(pairs),
        desc=doing,
        unit="pair",
        leave=False,
        dynamic_ncols=True,
    )


def require_finite(
    ground: np.ndarray, satellite: np.ndarray, pairs: Sequence[Pair]
) -> None:
    """Refuses descriptors [N, D] of a model whose weights diverged.

    Raises:
        UserError: naming the first pair whose descriptor is not finite.
        ValueError: where pairs and descriptors differ in number.
    """
    if len(ground) != len(pairs):
        raise ValueError(
            f"{len(pairs)} pairs and {len(ground)} descriptors: the batches"
            " are of other pairs"
        )
    for view, descriptors in (("ground", ground), ("satellite", satellite)):
        # A sum is finite only where every number is: no mask [N, D].
        wrong = np.flatnonzero(~np.isfinite(descriptors.sum(axis=1)))
        if wrong.size:
            raise UserError(
                f"pair {pairs[wrong[0]].id}: its {view} descriptor is not"
                f" finite ({wrong.size} of {len(pairs)} are not): the weights"
                " diverged; use an earlier checkpoint or a lower learning_rate"
            )


def _encoder(model: keras.Model) -> tf.types.experimental.PolymorphicFunction:
    return _encoders(model)[0]


def _encoders(model: keras.Model) -> tuple[Any, Any]:
    """Of pairs, and of aerial images alone."""
    if model not in _ENCODERS:
        # Weak, or the function would keep its own dictionary key alive.
        reference = weakref.ref(model)

        def encode(ground, satellite, **start):
            return reference().encode_pairs(ground, satellite, **start)

        def encode_aerial(ground, satellite):
            found = reference().encode_satellite(satellite)
            return found[:, :1], found  # there is no panorama

        _ENCODERS[model] = _compiled(encode), _compiled(encode_aerial)
    return _ENCODERS[model]


def _compiled(
    encode: Callable[..., tuple[Any, Any]],
) -> tf.types.experimental.PolymorphicFunction:
    @tf.function(autograph=False)
    def compiled(ground, satellite, **start):
        # Batches are uint8; systems compute in floating point.
        views = (tf.cast(view, tf.float32) for view in (ground, satellite))
        return [tf.cast(d, tf.float32) for d in encode(*views, **start)]

    return compiled
