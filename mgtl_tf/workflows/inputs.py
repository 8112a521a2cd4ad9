"""Pairs to pixels: which source a config asks for, and its eval batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from absl import logging
from tqdm import tqdm

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.decoded_cache.building import build_cache
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.decoded_cache.prepared import (
    SPLITS,
    kept_pairs,
    open_prepared,
    prepared_dataset,
)
from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.problems import Problem, RefusedRow
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import Dataset, Pair
from mgtl_tf.datasets.sources import FileSource, PairSource
from mgtl_tf.utils.errors import UserError


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
    settings = CacheSettings(name, size, crop)
    # A run is also evaluated on other data sets than its own.
    if config.data.data_cache and (
        prepared_dataset(config.data.data_cache) == name
    ):
        return open_prepared(config.data.data_cache, pairs, settings)
    if config.data.cache == "none":
        return FileSource(pairs, size, crop, name)
    return build_cache(pairs, settings, cache_dir)


def read_data(config: RunConfig) -> Dataset:
    """A config's pairs, with a warning for each of their notes.

    Raises:
        UserError: for data that cannot be read; where a file or a row is
            wrong, also what to do with the others.
    """
    data = config.data
    require_prepared(config)
    if data.partial:
        dataset = _partial(config)
    else:
        try:
            dataset = read_dataset(data.dataset, data.data_dir)
        except RefusedRow as error:
            raise UserError(f"{error}; {_others(config)}") from None
    for note in dataset.notes:
        logging.warning("%s: %s", data.data_dir, note)
    return dataset


def left_out(dataset: Dataset) -> dict[str, dict[str, int]]:
    """What stands in a result of partial data; empty for whole data."""
    if not any(dataset.left_out):
        return {}
    return {"left_out": dict(zip(SPLITS, dataset.left_out, strict=True))}


def _others(config: RunConfig) -> str:
    """What to do with the pairs that are whole."""
    if config.data.data_cache:
        return "mend it, or use the pairs that --data_cache has with --partial"
    return (
        "mend it, or prepare the other pairs with experiments.prepare and use"
        " them with --data_cache=PREPARED --partial"
    )


def _partial(config: RunConfig) -> Dataset:
    """The pairs that the prepared cache holds, and how many it lacks."""
    data = config.data
    if not data.data_cache:
        raise UserError(
            "--partial: needs --data_cache, the folder that"
            " experiments.prepare wrote: it says which pairs are whole"
        )
    problems: list[Problem] = []
    found = read_dataset(data.dataset, data.data_dir, problems)
    train, missing = _kept(data.data_cache, "train", found.train, problems)
    validation, lacking = _kept(
        data.data_cache, "validation", found.validation, problems
    )
    notes = [
        f"partial: {count:,} {split} pairs are left out, {len(pairs):,} are"
        f" used; {data.data_cache}/report.csv tells why"
        for split, pairs, count in (
            ("train", train, missing),
            ("validation", validation, lacking),
        )
        if count
    ]
    return dataclasses.replace(
        found,
        train=train,
        validation=validation,
        notes=(*found.notes, *notes),
        left_out=(missing, lacking),
    )


def _kept(
    data_cache: str,
    split: str,
    pairs: Sequence[Pair],
    problems: Sequence[Problem],
) -> tuple[tuple[Pair, ...], int]:
    """A split's pairs that are whole, and how many listed ones are not."""
    kept = kept_pairs(data_cache, split, pairs)
    rows = {p.row for p in problems if p.split == split and p.row}
    return kept, len(pairs) - len(kept) + len(rows)


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
