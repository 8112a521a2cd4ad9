"""Evaluating a trained run: descriptors, recall, a table and a file."""

from __future__ import annotations

import json
from pathlib import Path

from absl import logging

from mgtl_tf import evaluation
from mgtl_tf.data.readers import read_dataset
from mgtl_tf.errors import UserError
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.workflows.inputs import open_source
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
    run folder.

    Args:
        run_dir: what experiments.train wrote.
        dataset, data_dir: other data; the run's own by default.
        split: "train" or "validation".
        checkpoint: "best" or "last".

    Raises:
        UserError: for a run or data that cannot be read, or an empty split.
    """
    config, model = load_model(run_dir, checkpoint)
    config = config.replace(
        dataset=dataset or config.data.dataset,
        data_dir=data_dir or config.data.data_dir,
    )
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
    result = evaluation.evaluate_model(
        model, validation_batches(config, source), pairs
    )
    path = Path(run_dir) / f"evaluation-{name}.json"
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(result, indent=2) + "\n")
    beside.replace(path)
    return evaluation.format_table(result)
