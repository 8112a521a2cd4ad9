"""Pairs as what the fixed blocks of a run's network make of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf.config import DataConfig
from mgtl_tf.datasets.decoded_cache.features import (
    FeatureSettings,
    build_features,
)
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import VIEWS, PairSource
from mgtl_tf.models.backbones import frozen_digest
from mgtl_tf.utils.errors import UserError


def first_block(feature_cache: str, freeze_blocks: int) -> int:
    """How many blocks training batches have behind them already.

    Raises:
        UserError: for a cache of blocks that are not fixed.
    """
    if feature_cache and not freeze_blocks:
        raise UserError(
            f"feature_cache={feature_cache}: nothing is to be kept with"
            " freeze_blocks=0; fix blocks, or give no feature_cache"
        )
    return freeze_blocks if feature_cache else 0


def open_inputs(
    data: DataConfig,
    freeze_blocks: int,
    model: keras.Model,
    pairs: Sequence[Pair],
    open_pixels: Callable[[], PairSource],
) -> tuple[PairSource, int]:
    """What a network reads of these pairs: images, or cached features.

    Args:
        data: the data set, its crop, and perhaps a `feature_cache`.
        freeze_blocks: of the run; the model's blocks are fixed here.
        model: holding the weights of the run.
        pairs: in the order of the rows.
        open_pixels: their images; called where they are needed.

    Returns:
        the source, and how many of the network's blocks are behind it.

    Raises:
        UserError: where features cannot be made or kept.
    """
    blocks = first_block(data.feature_cache, freeze_blocks)
    if not blocks:
        return open_pixels(), 0
    model.freeze_blocks(blocks)
    return open_features(data, model, pairs, open_pixels), blocks


def open_features(
    data: DataConfig,
    model: keras.Model,
    pairs: Sequence[Pair],
    open_pixels: Callable[[], PairSource],
) -> PairSource:
    """What the fixed blocks make of these pairs, from `feature_cache`.

    Args:
        data: the data set, its crop, the cache.
        model: with fixed blocks, holding the weights of the run.
        pairs: in the order of the rows.
        open_pixels: their images; called where any are missing in the cache.

    Raises:
        UserError: where they cannot be made or kept.
    """
    ground = model.backbones[0]
    form, shapes = model.config.input_form, model.config.input_shapes
    blocks = ground.frozen_blocks
    if data.roll_features and form.satellite_form == "square":
        raise UserError(
            "roll_features: columns of square aerial images are no azimuths;"
            " give roll_features=false"
        )
    settings = FeatureSettings(
        data.dataset,
        form.image_size,
        data.ground_crop,
        satellite_size=form.satellite_size,
        satellite_form=form.satellite_form,
        blocks=blocks,
        weights=frozen_digest(model),
        shape=ground.block_shape(shapes["ground"], blocks)[1:],
        satellite_shape=ground.block_shape(shapes["satellite"], blocks)[1:],
        computed=ground.compute_dtype,
        dtype=data.feature_dtype,
    )
    pixels = functools.cache(open_pixels)
    features = tf.function(
        model.frozen_features, autograph=False, reduce_retracing=True
    )

    def encode(rows: np.ndarray) -> list[np.ndarray]:
        images = zip(VIEWS, pixels().load(rows), strict=True)
        made = features({v: tf.cast(x, tf.float32) for v, x in images})
        return [tf.cast(made[view], tf.float32).numpy() for view in VIEWS]

    return build_features(data.feature_cache, pairs, settings, encode)
