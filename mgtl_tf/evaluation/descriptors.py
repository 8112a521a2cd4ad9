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
from mgtl_tf.datasets.records import (
    Pair,
    aerial_positions,
    files_digest,
    positions,
)
from mgtl_tf.evaluation.positives import PositivesWithin, image_positions, known
from mgtl_tf.evaluation.ranks import METRES, DirectionRanks, Ranks, Result
from mgtl_tf.evaluation.tile_points import Predictor
from mgtl_tf.evaluation.tile_ranks import measure_tiles
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.scorers import DOT, Scorer
from mgtl_tf.utils.shift_scorer import ShiftScorer

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
    encode = _encoders(model)[1]
    found = _embedded(encode, batches, progress, images, {})[1]
    return np.concatenate([satellite, found])


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
    centres: np.ndarray | None = None,
) -> Ranks:
    """Ranks of all pairs in both directions (R20).

    A gallery is its distinct aerial images. A panorama is right where its
    own image is first; an aerial image, where any panorama of its own is.

    Args:
        ground, satellite: descriptors [Q, D] and [R, D], row i of both of
            pair i; rows of the latter beyond are distractors, aerial images
            of no panorama here.
        places: positions [Q, P] in Cartesian metres, NaN in rows that are
            unknown, or None.
        metres: radius within which a first answer is counted as right, of
            the queries of known position.
        protocol: how the ground images were shown, and which answers are
            right. What has no position is right by its own pairs alone.
        images: int [R], the number of each row's aerial image, as of
            `aerial_images`; by default no rows share one.
        gallery: the pairs' digest.
        scorer: the system's, of ground queries.
        centres: where the rows' images are, [R, P], as `places`; by default
            these. What an image's first row of known position says is its.

    Raises:
        UserError, ValueError: as `evaluate`.
    """
    pairs = np.arange(len(ground))
    images = np.arange(len(satellite)) if images is None else images
    distinct = one_each(satellite, images)
    own, shown = images[: len(pairs)], 1 + int(images[: len(pairs)].max())
    where = None
    if places is not None:
        centres = places if centres is None else centres
        where = image_positions(centres, images, len(distinct))
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
        ranked(ground, distinct, (pairs, own), places, where, scorer),
        ranked(
            distinct[:shown],
            ground,
            (own, pairs),
            None if where is None else where[:shown],
            places,
            scorer.reversed(),
        ),
        metres,
        distractors=len(distinct) - shown,
    )


def rank_embedded(
    ground: np.ndarray,
    satellite: np.ndarray,
    pairs: Sequence[Pair],
    distractors: Sequence[Pair] = (),
    protocol: Protocol = ALIGNED,
    scorer: Scorer = DOT,
    images: np.ndarray | None = None,
    predict: Predictor | None = None,
) -> Ranks:
    """`rank_pairs` of records, and what overlapping images are measured by.

    Args:
        ground: descriptors of the pairs, [Q, D].
        satellite: of the pairs and the distractors, [R, D].
        pairs, distractors: the records.
        protocol, scorer: as of `rank_pairs`.
        images: `aerial_images` of both, where they are known already.
        predict: `offset_predictor` of the model.

    Raises:
        UserError, ValueError: as `rank_pairs`.
    """
    rows = [*pairs, *distractors]
    images = aerial_images(rows) if images is None else images
    digest = files_digest(pairs, *([distractors] if distractors else []))
    found = rank_pairs(
        ground,
        satellite,
        positions(pairs),
        protocol=protocol,
        images=images,
        gallery=digest,
        scorer=scorer,
        centres=aerial_positions(rows),
    )
    # Among the pairs' own images alone, these figures would mislead.
    if not distractors or any(pair.tiles is None for pair in pairs):
        return found
    distinct = one_each(satellite, images)
    tiles = measure_tiles(ground, distinct, rows, images, scorer, predict)
    return dataclasses.replace(found, tiles=tiles)


def rank_model(
    model: keras.Model,
    batches: Collection[dict[str, Any]],
    pairs: Sequence[Pair],
    progress: Callable[[int], Any] | None = None,
    protocol: Protocol = ALIGNED,
    first_block: int = 0,
    encode: Callable[..., tuple[Any, Any]] | None = None,
    distractors: Distractors | None = None,
) -> Ranks:
    """`embed`, then `rank_embedded`.

    Args:
        model, batches, pairs, progress, first_block, encode: as of `embed`.
        protocol: as of `rank_pairs`; the batches must follow it already.
        distractors: aerial images of no panorama, and their batches.

    Raises:
        UserError, ValueError: as `embed`.
    """
    ground, satellite = embed(
        model, batches, progress, pairs, first_block, encode
    )
    others: Sequence[Pair] = ()
    if distractors is not None:
        others = distractors[0]
        satellite = with_aerial(satellite, model, distractors, progress)
    ranks = rank_embedded(
        ground,
        satellite,
        pairs,
        others,
        protocol,
        model.scorer,
        predict=offset_predictor(model),
    )
    if not isinstance(model.scorer, ShiftScorer):
        return ranks
    found = model.scorer.headings(ground, satellite[: len(ground)])
    apart = np.abs((found - protocol.headings(pairs) + 180) % 360 - 180)
    return dataclasses.replace(ranks, heading_errors=apart)


def offset_predictor(model: keras.Model) -> Predictor | None:
    """A model's offset head as a function of arrays; None without one."""
    if model.offset_head is None:
        return None

    def predict(ground: np.ndarray, satellite: np.ndarray) -> np.ndarray:
        found = model.predict_offsets(
            tf.constant(ground), tf.constant(satellite)
        )
        return found.numpy()

    return predict


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
    @tf.function
    def compiled(ground, satellite, **start):
        # Batches are uint8; systems compute in floating point.
        views = (tf.cast(view, tf.float32) for view in (ground, satellite))
        return [tf.cast(d, tf.float32) for d in encode(*views, **start)]

    return compiled
