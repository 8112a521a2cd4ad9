"""Evaluating a trained run: descriptors, recall, a table and a file."""

from __future__ import annotations

import json
from pathlib import Path

from absl import logging

from mgtl_tf import evaluation
from mgtl_tf.config import RunConfig
from mgtl_tf.data.readers import read_dataset
from mgtl_tf.errors import UserError
from mgtl_tf.folders import write_whole
from mgtl_tf.presets import load_preset
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.workflows.inputs import open_source
from mgtl_tf.workflows.inputs import pair_bar
from mgtl_tf.workflows.inputs import validation_batches


def evaluate_run(
    run_dir: Path | str,
    dataset: str | None = None,
    data_dir: str | None = None,
    split: str = "validation",
    checkpoint: str = "best",
) -> str:
    """Recall of a run's model on a split, as a text table.

    The figures are also written to `evaluation-DATASET-SPLIT.json` in the
    run folder, with the data and the checkpoint that they are of.

    Args:
        run_dir: what experiments.train wrote.
        dataset, data_dir: other data; the run's own by default. The rows
            kept of another data set's panoramas are those of its preset.
        split: "train" or "validation".
        checkpoint: "best" or "last".

    Raises:
        UserError: for a run or data that cannot be read, or an empty split.
    """
    config, model = load_model(run_dir, checkpoint)
    config = on_data(config, dataset, data_dir)
    records = read_dataset(config.data.dataset, config.data.data_dir)
    for note in records.notes:
        logging.warning("%s: %s", config.data.data_dir, note)
    pairs = records.train if split == "train" else records.validation
    if not pairs:
        raise UserError(
            f"--split={split}: {config.data.data_dir} has no such pairs"
        )
    name = f"{config.data.dataset}-{split}"
    cache = Path(run_dir) / "cache" / (split if data_dir is None else name)
    source = open_source(config, pairs, cache)
    with pair_bar("evaluate", len(pairs)) as bar:
        result = evaluation.evaluate_model(
            model, validation_batches(config, source), pairs, bar.update
        )
    of = {"data_dir": config.data.data_dir, "checkpoint": checkpoint}
    path = Path(run_dir) / f"evaluation-{name}.json"
    write_whole(path, json.dumps({**of, **result}, indent=2) + "\n")
    return evaluation.format_table(result)


def on_data(
    config: RunConfig, dataset: str | None, data_dir: str | None
) -> RunConfig:
    """A run's config, reading other data as that data set is to be read."""
    if dataset and dataset != config.data.dataset:
        # A run on CVUSA keeps all rows, of which CVACT has twice too many.
        crop = load_preset(dataset).data.ground_crop
        config = config.replace(dataset=dataset, ground_crop=crop)
    return config.replace(data_dir=data_dir or config.data.data_dir)
