"""Ranks and recall of pairs in both directions, of their descriptors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any

import keras
import numpy as np

from mgtl_tf import metrics
from mgtl_tf.datasets.aerial_images import aerial_images, one_each
from mgtl_tf.datasets.protocols import ALIGNED, Protocol
from mgtl_tf.datasets.records import (
    Pair,
    aerial_positions,
    files_digest,
    positions,
)
from mgtl_tf.evaluation.embedding import Distractors, embed, with_aerial
from mgtl_tf.evaluation.positives import PositivesWithin, image_positions, known
from mgtl_tf.evaluation.ranks import METRES, DirectionRanks, Ranks, Result
from mgtl_tf.evaluation.tile_points import Predictor, offset_predictor
from mgtl_tf.evaluation.tile_ranks import measure_tiles
from mgtl_tf.utils.angles import wrapped
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.scorers import DOT, Scorer
from mgtl_tf.utils.shift_scorer import ShiftScorer


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
    """`embed`, then `rank_described`.

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
    return rank_described(model, ground, satellite, pairs, others, protocol)


def rank_described(
    model: keras.Model,
    ground: np.ndarray,
    satellite: np.ndarray,
    pairs: Sequence[Pair],
    distractors: Sequence[Pair] = (),
    protocol: Protocol = ALIGNED,
) -> Ranks:
    """`rank_embedded` as the model compares, with headings where it finds them.

    Args:
        model: that the descriptors are of.
        ground, satellite, pairs, distractors: as of `rank_embedded`.
        protocol: by which the panoramas were shown.

    Raises:
        UserError, ValueError: as `rank_embedded`.
    """
    ranks = rank_embedded(
        ground,
        satellite,
        pairs,
        distractors,
        protocol,
        model.scorer,
        predict=offset_predictor(model),
    )
    if not isinstance(model.scorer, ShiftScorer):
        return ranks
    found = model.scorer.headings(ground, satellite[: len(ground)])
    errors = wrapped(found - protocol.headings(pairs))
    return dataclasses.replace(ranks, heading_errors=errors)
