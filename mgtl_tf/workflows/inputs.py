"""From a data config to pairs and to the source of their pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import logging

from mgtl_tf.config import DataConfig, InputForm
from mgtl_tf.datasets.decoded_cache.building import build_cache
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.decoded_cache.prepared import (
    GALLERY,
    SPLITS,
    kept_pairs,
    open_prepared,
    prepared_dataset,
)
from mgtl_tf.datasets.label_maps import with_aerial_labels, with_labels
from mgtl_tf.datasets.negatives import Places
from mgtl_tf.datasets.problems import ERROR, Problem
from mgtl_tf.datasets.readers import RefusedRow, read_dataset
from mgtl_tf.datasets.records import Dataset, Pair
from mgtl_tf.datasets.sources import (
    FileSource,
    LabelledSource,
    PairSource,
)
from mgtl_tf.utils.errors import UserError

_FEWEST_PAIRS = 2


def open_source(
    data: DataConfig,
    form: InputForm,
    pairs: Sequence[Pair],
    cache_dir: Path,
) -> PairSource:
    """Where batches of these pairs are read from.

    Args:
        data: `cache="disk"` decodes every file once into `cache_dir`;
            `"none"` decodes at every reading; `data_cache` names what
            experiments.prepare decoded, and is used for its own data set.
        form: of both views' network inputs.
        pairs: in the order of the rows.
        cache_dir: made if needed; reused where its manifest agrees.

    Raises:
        UserError: for a file that cannot be read, or a `data_cache` that
            lacks a pair or was made with other settings.
    """
    if form.ground_form == "labels":
        pairs = with_labels(pairs)
    return _opened(data, form, pairs, cache_dir, SPLITS)


def with_label_maps(
    source: PairSource,
    data: DataConfig,
    form: InputForm,
    pairs: Sequence[Pair],
    cache_dir: Path,
) -> LabelledSource:
    """A source of pairs with the label maps of their aerial images.

    Args:
        source: of `open_source`.
        data, form, pairs, cache_dir: what it was opened with; decoded label
            maps lie beside the folder, and in no `data_cache`.

    Raises:
        UserError: as `open_source`, or where an image has no label map.
    """
    alone = dataclasses.replace(
        form, ground_form="none", satellite_form="labels"
    )
    unprepared = dataclasses.replace(data, data_cache="")
    beside = cache_dir.with_name(f"{cache_dir.name}-labels")
    pairs = with_aerial_labels(pairs)
    return LabelledSource(source, _opened(unprepared, alone, pairs, beside, ()))


def open_gallery(
    data: DataConfig, form: InputForm, images: Sequence[Pair], cache_dir: Path
) -> PairSource:
    """Where aerial images of no panorama are read from, as `open_source`.

    Args:
        data, form: as of `open_source`.
        images: `AerialImage.as_pair` of each, in the order of the rows.
        cache_dir: of the pairs; that of these images lies beside it.

    Raises:
        UserError: as `open_source`.
    """
    alone = dataclasses.replace(form, ground_form="none")
    beside = cache_dir.with_name(f"{cache_dir.name}-gallery")
    return _opened(data, alone, images, beside, (GALLERY,))


def _opened(
    data: DataConfig,
    form: InputForm,
    pairs: Sequence[Pair],
    cache_dir: Path,
    splits: Sequence[str],
) -> PairSource:
    """As `open_source`, from these splits of what was prepared."""
    crop, name = data.ground_crop, data.dataset
    settings = CacheSettings.of(name, form, crop)
    # A run is also evaluated on other data sets than its own.
    if data.data_cache and prepared_dataset(data.data_cache) == name:
        return open_prepared(data.data_cache, pairs, settings, splits)
    if data.cache == "none":
        return FileSource(pairs, form, crop, name)
    return build_cache(pairs, settings, cache_dir)


def read_data(data: DataConfig) -> Dataset:
    """A config's pairs, with a warning for each of their notes.

    Raises:
        UserError: for data that cannot be read; where a file or a row is
            wrong, also how to use the others.
    """
    require_prepared(data)
    if data.partial:
        dataset = _partial(data)
    else:
        try:
            dataset = read_dataset(
                data.dataset, data.data_dir, options=data.reader_options
            )
        except RefusedRow as error:
            others = (
                "use the pairs that data_cache has with partial"
                if data.data_cache
                else "prepare the other pairs with experiments.prepare and use"
                " them with data_cache and partial"
            )
            raise UserError(f"{error}; repair it, or {others}") from None
    for note in dataset.notes:
        logging.warning("%s: %s", data.data_dir, note)
    return dataset


def read_trainable(data: DataConfig, batch_size: int) -> Dataset:
    """The data of a training; see `read_data`.

    Raises:
        UserError: as `read_data`, and where nothing can be learned from them.
    """
    dataset = read_data(data)
    count = len(dataset.train)
    if count < _FEWEST_PAIRS:
        has = f"{count} pair{'' if count == 1 else 's'}"
        raise UserError(
            f"{data.data_dir}: its training split has {has}; {_FEWEST_PAIRS}"
            " are the least to train on, since every pair needs a negative"
        )
    if count < batch_size:
        raise UserError(
            f"batch_size={batch_size}: the training split of {data.data_dir}"
            f" has only {count} pairs; give at most batch_size={count}"
        )
    places = Places.of(
        dataset.train, data.same_place_metres, data.exclude_overlap
    )
    places.require_negatives(data.data_dir)
    return dataset


def require_prepared(data: DataConfig) -> None:
    """Refuses a `data_cache` of another data set than the config's own.

    Raises:
        UserError: naming both.
    """
    folder = data.data_cache
    if folder and (name := prepared_dataset(folder)) != data.dataset:
        raise UserError(
            f"data_cache={folder}: was made of {name}, and this run is on"
            f" {data.dataset}"
        )


def _partial(data: DataConfig) -> Dataset:
    """The pairs that the prepared cache holds, and how many it lacks."""
    if not data.data_cache:
        raise UserError(
            "partial: needs data_cache, the folder that experiments.prepare"
            " wrote: it lists the usable pairs"
        )
    problems: list[Problem] = []
    found = read_dataset(
        data.dataset, data.data_dir, problems, data.reader_options
    )
    kept, missing, notes = [], [], []
    for split, pairs in zip(
        SPLITS, (found.train, found.validation), strict=True
    ):
        kept.append(kept_pairs(data.data_cache, split, pairs))
        rows = {
            (p.file, p.row)
            for p in problems
            if p.split == split and p.row and p.severity == ERROR
        }
        missing.append(len(pairs) - len(kept[-1]) + len(rows))
        if missing[-1]:
            notes.append(
                f"partial: {missing[-1]:,} {split} pairs are left out,"
                f" {len(kept[-1]):,} are used; see {data.data_cache}/report.csv"
            )
    others = found.distractors
    there = kept_pairs(data.data_cache, GALLERY, others) if others else ()
    if lost := {i.id for i in others} - {i.id for i in there}:
        notes.append(
            f"partial: {len(lost):,} aerial images of no panorama are left out"
            f" of the gallery; see {data.data_cache}/report.csv"
        )
    return dataclasses.replace(
        found,
        train=kept[0],
        validation=kept[1],
        gallery=tuple(i for i in found.gallery if i.id not in lost),
        notes=(*found.notes, *notes),
        left_out=(missing[0], missing[1]),
    )


def beside_figures(dataset: Dataset) -> dict[str, Any]:
    """Parts of a result: what is left out, and the data set's remarks."""
    found: dict[str, Any] = {}
    if any(dataset.left_out):
        found["left_out"] = dict(zip(SPLITS, dataset.left_out, strict=True))
    if dataset.remarks:
        found["remarks"] = list(dataset.remarks)
    return found
