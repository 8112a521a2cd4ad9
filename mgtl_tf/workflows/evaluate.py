"""Evaluating a trained run: descriptors, recall, a table and a file."""

from __future__ import annotations

import json
from pathlib import Path

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.protocols import HIT_METRES, Protocol, ProtocolSource
from mgtl_tf.datasets.records import Dataset, Pair
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.presets import load_preset
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.inputs import (
    left_out,
    open_source,
    pair_bar,
    read_data,
    validation_batches,
)


def evaluate_run(
    run_dir: Path | str,
    dataset: str | None = None,
    data_dir: str | None = None,
    split: str = "validation",
    checkpoint: str = "best",
    protocol: str = "aligned",
    protocol_seed: int = 0,
    hit_metres: float | None = None,
    data_cache: str | None = None,
    partial: bool | None = None,
) -> str:
    """Recall of a run's model on a split, as a text table.

    The figures are also written to `evaluation-DATASET-SPLIT.json` in the
    run folder (the name of another folder of the same data set, and that of
    another protocol, follow the split's), with the protocol, the data and
    the checkpoint that they are of.

    Args:
        run_dir: what experiments.train wrote.
        dataset, data_dir: other data; the run's own by default. The rows
            kept of another data set's panoramas are those of its preset.
        split: "train" or "validation".
        checkpoint: "best" or "last".
        protocol: how the panoramas are shown, one of `protocol.DEGREES`.
        protocol_seed: of its random azimuths.
        hit_metres: 0: only a query's own pair is right; otherwise any answer
            within so many metres; by default the data set's own rule.
        data_cache: what experiments.prepare wrote of the data; by default
            the run's own, if its own data are meant.
        partial: whether the pairs that were left out of it are done without;
            by default as the run was trained, if its own data are meant.

    Raises:
        UserError: for a run or data that cannot be read, an empty split, or
            a protocol that the data cannot follow.
    """
    trained, model = load_model(run_dir, checkpoint)
    config = on_data(trained, dataset, data_dir, data_cache)
    if partial is not None:
        config = config.replace(partial=partial)
    asked = Protocol(
        protocol,
        protocol_seed,
        _hit_metres(config.data.dataset, hit_metres),
        _transfer(trained.data.dataset, config.data.dataset),
    )
    records = read_data(config)
    pairs = _pairs_of(records, config, split)
    name = f"{config.data.dataset}-{split}{_elsewhere(trained, config)}"
    cache = Path(run_dir) / "cache" / (split if data_dir is None else name)
    source = ProtocolSource(open_source(config, pairs, cache), pairs, asked)
    with pair_bar("evaluate", len(pairs)) as bar:
        batches = validation_batches(config, source)
        result = evaluation.evaluate_model(
            model, batches, pairs, bar.update, asked
        )
    of = {
        "trained_on": trained.data.dataset,
        "evaluated_on": config.data.dataset,
        "split": split,
        "data_dir": config.data.data_dir,
        "checkpoint": checkpoint,
    }
    result |= left_out(records)
    path = Path(run_dir) / f"evaluation-{name}{asked.file_suffix}.json"
    atomic_write(path, json.dumps({**of, **result}, indent=2) + "\n")
    return evaluation.format_table(result)


def on_data(
    config: RunConfig,
    dataset: str | None,
    data_dir: str | None,
    data_cache: str | None = None,
) -> RunConfig:
    """A run's config, reading other data as that data set is to be read.

    Its prepared cache is of its own data, and is left with them.
    """
    if data_cache is not None:
        config = config.replace(data_cache=data_cache)
    elif data_dir and not _same_folder(data_dir, config.data.data_dir):
        config = config.replace(data_cache="", partial=False)
    if dataset and dataset != config.data.dataset:
        # A run on CVUSA keeps all rows, of which CVACT has twice too many.
        crop = load_preset(dataset).data.ground_crop
        config = config.replace(dataset=dataset, ground_crop=crop)
    return config.replace(data_dir=data_dir or config.data.data_dir)


def _same_folder(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def _elsewhere(trained: RunConfig, config: RunConfig) -> str:
    """Another folder of the run's own data set, for a file of its own."""
    if config.data.dataset != trained.data.dataset or _same_folder(
        config.data.data_dir, trained.data.data_dir
    ):
        return ""
    return f"-{Path(config.data.data_dir).resolve().name}"


def read_split(config: RunConfig, split: str) -> tuple[Pair, ...]:
    """The pairs of a config's split.

    Raises:
        UserError: for data that cannot be read, or without such pairs.
    """
    return _pairs_of(read_data(config), config, split)


def _pairs_of(
    records: Dataset, config: RunConfig, split: str
) -> tuple[Pair, ...]:
    pairs = records.train if split == "train" else records.validation
    if not pairs:
        raise UserError(
            f"--split={split}: {config.data.data_dir} has no such pairs"
        )
    return pairs


def _hit_metres(dataset: str, given: float | None) -> float:
    return HIT_METRES.get(dataset, 0.0) if given is None else given


def _transfer(trained: str, evaluated: str) -> str:
    """Empty for one data set; CVACT's test set is CVACT as well."""
    families = [name.removesuffix("_test") for name in (trained, evaluated)]
    if families[0] == families[1]:
        return ""
    return f"{trained} to {evaluated}"
