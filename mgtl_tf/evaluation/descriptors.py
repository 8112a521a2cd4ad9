"""Descriptors of pairs, and their recall in both directions."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf import metrics
from mgtl_tf.datasets.aerial_images import aerial_images, one_each
from mgtl_tf.datasets.pipeline import raising_user_errors
from mgtl_tf.datasets.protocols import ALIGNED, Protocol
from mgtl_tf.datasets.records import Pair, files_digest, positions
from mgtl_tf.evaluation.positives import PositivesWithin, image_positions, known
from mgtl_tf.evaluation.ranks import METRES, DirectionRanks, Ranks, Result
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.scorers import DOT, Scorer
from mgtl_tf.utils.shift_scorer import ShiftScorer

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


def evaluate(
    ground: np.ndarray,
    satellite: np.ndarray,
    places: np.ndarray | None = None,
    ks: Sequence[int | str] = metrics.DEFAULT_KS,
    metres: float = METRES,
    protocol: Protocol = ALIGNED,
    images: np.ndarray | None = None,
) -> Result:
    """Recall in both directions (R20 to R22), ready for JSON.

    Args:
        ground, satellite, places, metres, protocol, images: as of
            `rank_pairs`.
        ks: as of `metrics.recall`.

    Returns:
        {"protocol": its name, "ground_to_satellite": {"r@1": 0..1, ...,
        "ties", "mean_rank", "median_rank", and with `places` "within_25m"},
        "satellite_to_ground": {the same}, "gallery_size": N, distinct
        images, "panoramas": Q, "with_position": how many of them}.

    Raises:
        UserError: where the protocol needs positions and there are none.
        ValueError: as `metrics.recall`.
    """
    found = rank_pairs(ground, satellite, places, metres, protocol, images)
    return found.result(protocol.name, ks)


def rank_pairs(
    ground: np.ndarray,
    satellite: np.ndarray,
    places: np.ndarray | None = None,
    metres: float = METRES,
    protocol: Protocol = ALIGNED,
    images: np.ndarray | None = None,
    gallery: str = "",
    scorer: Scorer = DOT,
) -> Ranks:
    """Ranks of all pairs in both directions (R20).

    A gallery is its distinct aerial images. A panorama is right where its
    own image is first; an aerial image, where any panorama of its own is.

    Args:
        ground, satellite: descriptors [Q, D], row i of both of pair i.
        places: positions [Q, P] in Cartesian metres, NaN in rows that are
            unknown, or None. What an image's first pair says is the
            image's.
        metres: radius within which a first answer is counted as right, of
            the queries of known position.
        protocol: how the ground images were shown, and which answers are
            right. What has no position is right by its own pairs alone.
        images: int [Q], the number of each pair's aerial image, as of
            `aerial_images`; by default no pairs share one.
        gallery: the pairs' digest.
        scorer: the system's, of ground queries.

    Raises:
        UserError, ValueError: as `evaluate`.
    """
    pairs = np.arange(len(ground))
    images = pairs if images is None else images
    distinct = one_each(satellite, images)
    where = None
    if places is not None:
        where = image_positions(places, images, len(distinct))
    elif protocol.hit_metres:
        raise UserError(
            f"hit_metres={protocol.hit_metres:g}: these pairs have no"
            " positions; give hit_metres=0"
        )

    def ranked(queries, answers, own, here, there, scorer):
        """Of one view in the other, and of first answers within metres."""
        right = metrics.PositivePairs(*own)
        if here is None:
            return DirectionRanks(
                *metrics.ranks(queries, answers, right, scorer)
            )
        if protocol.hit_metres:
            right = PositivesWithin(here, there, protocol.hit_metres, own)
        near = PositivesWithin(here, there, metres, own)
        place, _ = metrics.ranks(queries, answers, near, scorer)
        return DirectionRanks(
            *metrics.ranks(queries, answers, right, scorer),
            place[known(here)] == 1,
        )

    return Ranks(
        gallery,
        ranked(ground, distinct, (pairs, images), places, where, scorer),
        ranked(
            distinct,
            ground,
            (images, pairs),
            where,
            places,
            scorer.reversed(),
        ),
        metres,
    )


def rank_model(
    model: keras.Model,
    batches: Collection[dict[str, Any]],
    pairs: Sequence[Pair],
    progress: Callable[[int], Any] | None = None,
    protocol: Protocol = ALIGNED,
    first_block: int = 0,
    encode: Callable[..., tuple[Any, Any]] | None = None,
) -> Ranks:
    """`embed`, then `rank_pairs` with the positions of the pairs.

    Args:
        model, batches, pairs, progress, first_block, encode: as of `embed`.
        protocol: as of `rank_pairs`; the batches must follow it already.

    Raises:
        UserError, ValueError: as `embed`.
    """
    ground, satellite = embed(
        model, batches, progress, pairs, first_block, encode
    )
    ranks = rank_pairs(
        ground,
        satellite,
        positions(pairs),
        protocol=protocol,
        images=aerial_images(pairs),
        gallery=files_digest(pairs),
        scorer=model.scorer,
    )
    if not isinstance(model.scorer, ShiftScorer):
        return ranks
    found = model.scorer.headings(ground, satellite)
    apart = np.abs((found - protocol.headings(pairs) + 180) % 360 - 180)
    return dataclasses.replace(ranks, heading_errors=apart)


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
    if model not in _ENCODERS:
        # Weak, or the function would keep its own dictionary key alive.
        reference = weakref.ref(model)

        def encode(ground, satellite, **start):
            return reference().encode_pairs(ground, satellite, **start)

        _ENCODERS[model] = _compiled(encode)
    return _ENCODERS[model]


def _compiled(
    encode: Callable[..., tuple[Any, Any]],
) -> tf.types.experimental.PolymorphicFunction:
    @tf.function
    def compiled(ground, satellite, **start):
        # Batches are uint8; systems compute in floating point.
        views = (tf.cast(view, tf.float32) for view in (ground, satellite))
        return [tf.cast(d, tf.float32) for d in encode(*views, **start)]

    return compiled
