"""Pairs to pixels: which source a config asks for, and its eval batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from mgtl_tf.config import RunConfig
from mgtl_tf.data.cache import build_cache
from mgtl_tf.data.pipeline import eval_batches
from mgtl_tf.data.records import Pair
from mgtl_tf.data.sources import FileSource
from mgtl_tf.data.sources import PairSource


def open_source(
    config: RunConfig, pairs: Sequence[Pair], cache_dir: Path
) -> PairSource:
    """Where batches of these pairs are read from.

    Args:
        config: `cache="disk"` decodes every file once into `cache_dir`;
            `"none"` decodes at every reading.
        pairs: in the order of the rows.
        cache_dir: made if needed; reused where its manifest agrees.

    Raises:
        UserError: for a file that cannot be read.
    """
    size, crop = config.model.image_size, config.data.ground_crop
    if config.data.cache == "none":
        return FileSource(pairs, size, crop)
    return build_cache(pairs, size, crop, cache_dir)


def validation_batches(
    config: RunConfig, source: PairSource
) -> tf.data.Dataset:
    """All pairs of a source once, in batches for `evaluation.embed`."""
    return eval_batches(source, config.train.evaluation_batch_size)


def pair_bar(doing: str, count: int) -> tqdm:
    """A progress bar over pairs, gone when it is done."""
    return tqdm(
        total=count, desc=doing, unit="pair", leave=False, dynamic_ncols=True
    )
