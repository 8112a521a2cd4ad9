"""What a run starts from: one order, written once."""

from __future__ import annotations

from pathlib import Path

import keras
from absl import logging

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.records import Dataset, ids_digest
from mgtl_tf.training.checkpoint import (
    Checkpoints,
    Progress,
    has_checkpoint,
    load_weights,
)
from mgtl_tf.utils.errors import UserError


def restore(
    config: RunConfig, checkpoints: Checkpoints, dataset: Dataset
) -> Progress:
    """Sets the model and the optimizer, from the first of these there is.

    1. The newest whole checkpoint of the run's own folder: everything, and
       the run goes on where it was.
    2. `init_from`: the best weights of another run (its last ones where it
       was never evaluated); the optimizer and the steps begin anew.
    3. `backbone_weights`: both backbones, the rest random.
    4. Random weights of the config's seed.

    From 1 and 2 everything is consumed: each variable of the file is one of
    the model, of the same name and shape, and none of the model is left.

    Raises:
        UserError: where what was found is damaged or does not fit, naming
            it and the remedy; nothing further down is taken instead.
    """
    names = ids_digest(dataset.train)
    progress = checkpoints.restore_last()
    if progress is not None:
        _require_same_pairs(progress, names, config.data.data_dir)
        logging.info("going on from step %d", progress.step)
        return progress
    if config.train.init_from:
        _start_from_run(checkpoints.model, config.train.init_from)
    else:
        checkpoints.model.start_from(config.train.backbone_weights)
    return Progress(data=names, network=config.network)


def _require_same_pairs(progress: Progress, names: str, data_dir: str) -> None:
    if progress.data not in ("", names):
        raise UserError(
            f"--data_dir={data_dir}: its training pairs are not those that"
            " the run was begun with; give that data, or another --run_dir"
        )


def _start_from_run(model: keras.Model, run_dir: str) -> None:
    if not has_checkpoint(run_dir):
        found = "holds no checkpoint" if Path(run_dir).is_dir() else "not there"
        raise UserError(
            f"--init_from={run_dir}: {found}; give the folder of a run that"
            " has written a checkpoint"
        )
    try:
        load_weights(model, run_dir)
    except UserError as error:
        raise UserError(
            f"--init_from={run_dir}: {error}; give a run of the same network"
            " whose best checkpoint is whole"
        ) from error
