"""Pairs to pixels: which source a config asks for, and its eval batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from mgtl_tf.config import RunConfig
from mgtl_tf.data.cache import build_cache
from mgtl_tf.data.cache_files import CacheSettings
from mgtl_tf.data.pipeline import eval_batches
from mgtl_tf.data.prepared import open_prepared
from mgtl_tf.data.prepared import prepared_dataset
from mgtl_tf.data.records import Pair
from mgtl_tf.data.sources import FileSource
from mgtl_tf.data.sources import PairSource
from mgtl_tf.errors import UserError


def open_source(
    config: RunConfig, pairs: Sequence[Pair], cache_dir: Path
) -> PairSource:
    """Where batches of these pairs are read from.

    Args:
        config: `cache="disk"` decodes every file once into `cache_dir`;
            `"none"` decodes at every reading; `data_cache` names what
            experiments.prepare decoded, and is used for its own data set.
        pairs: in the order of the rows.
        cache_dir: made if needed; reused where its manifest agrees.

    Raises:
        UserError: for a file that cannot be read, or a `data_cache` that
            lacks a pair or was made otherwise.
    """
    size, crop = config.model.image_size, config.data.ground_crop
    name = config.data.dataset
    # A run is also evaluated on other data sets than its own.
    if config.data.data_cache and (
        prepared_dataset(config.data.data_cache) == name
    ):
        settings = CacheSettings(name, size, crop)
        return open_prepared(config.data.data_cache, pairs, settings)
    if config.data.cache == "none":
        return FileSource(pairs, size, crop, name)
    return build_cache(pairs, size, crop, cache_dir, dataset=name)


def require_prepared(config: RunConfig) -> None:
    """Refuses a `data_cache` of another data set than the run's own.

    Raises:
        UserError: naming both.
    """
    folder = config.data.data_cache
    if folder and (name := prepared_dataset(folder)) != config.data.dataset:
        raise UserError(
            f"--data_cache={folder}: was made of {name}, and this run is on"
            f" {config.data.dataset}"
        )


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
