"""Training a run, or going on with one, from records to report."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from mgtl_tf.config import RunConfig
from mgtl_tf.data.readers import read_dataset
from mgtl_tf.data.records import Dataset
from mgtl_tf.data.records import ids_digest
from mgtl_tf.errors import UserError
from mgtl_tf.folders import write_whole
from mgtl_tf.systems import build_model
from mgtl_tf.systems.backbone_weights import load_backbone_weights
from mgtl_tf.training import environment
from mgtl_tf.training.checkpoint import Checkpoints
from mgtl_tf.training.checkpoint import Progress
from mgtl_tf.training.checkpoint import UnsavedCheckpoints
from mgtl_tf.training.checkpoint import has_checkpoint
from mgtl_tf.training.distribution import Distribution
from mgtl_tf.training.logs import MetricsLog
from mgtl_tf.training.logs import SilentLog
from mgtl_tf.training.loop import TrainingLoop
from mgtl_tf.training.optimizers import averaged_weights
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.profile import StepProfile
from mgtl_tf.training.step import TrainStep
from mgtl_tf.training.stops import StopSignals
from mgtl_tf.workflows.inputs import open_source
from mgtl_tf.workflows.order import EpochBatches
from mgtl_tf.workflows.run_report import write_run_report
from mgtl_tf.workflows.validation import Validation

# Data may have moved, and a resumed run may log and save at another pace;
# every other field decides the weights.
_FREE_TO_CHANGE = (
    "data_dir",
    "cache",
    "log_every",
    "checkpoint_minutes",
    "evaluate_every",
    "evaluation_batch_size",
    "strategy",
    "micro_batch",
    "retrieval_pictures",
    "profile_steps",
)


def train(config: RunConfig, run_dir: Path | str) -> bool:
    """Trains a model; a run folder that holds an unfinished run goes on.

    Restoring order: the newest checkpoint of the run folder; else the
    backbone weights of the config; else random weights of its seed.

    Args:
        config: of the run; once a checkpoint was written it must equal the
            one that the run was begun with, but for where the data lie
            and how often the run logs, evaluates and saves.
        run_dir: where config.json, checkpoints/, metrics.jsonl,
            tensorboard/, cache/ and report/ go.

    Returns:
        True when the run is finished, False when a signal stopped it early
        (its state is saved).

    Raises:
        UserError: for data, flags or a run folder that do not fit.
    """
    run_dir = Path(run_dir)
    # First of all: the servers of several workers start here.
    distribution = Distribution(config.train.strategy)
    distribution.check_batch(config.train.batch_size, config.train.micro_batch)
    dataset = read_dataset(config.data.dataset, config.data.data_dir)
    for note in dataset.notes:
        logging.warning("%s: %s", config.data.data_dir, note)
    _require_a_batch(config, dataset)
    config = _settle(config, run_dir, distribution.is_chief)
    environment.set_determinism(config.train.seed, config.train.deterministic)
    with distribution.naming_lost_workers():
        finished = _train(config, run_dir, dataset, distribution)
    if finished and distribution.is_chief:
        write_run_report(run_dir, dataset)
    return finished


def _train(
    config: RunConfig,
    run_dir: Path,
    dataset: Dataset,
    distribution: Distribution,
) -> bool:
    with distribution.scope():
        model = build_model(config.model, config.train.dtype_policy)
        optimizer = make_optimizer(config.train)
    kind = Checkpoints if distribution.is_chief else UnsavedCheckpoints
    checkpoints = kind(run_dir, model, optimizer)
    loop, progress = _prepare(
        config, run_dir, dataset, checkpoints, distribution
    )
    with StopSignals() as signals:
        loop.stop_requested = lambda: distribution.any_worker(
            signals.requested()
        )
        finished = _run(loop, progress)
    loop.log.close()
    return finished


def _run(loop: TrainingLoop, progress: Progress) -> bool:
    try:
        return loop.run(progress)
    except tf.errors.ResourceExhaustedError as error:
        raise UserError(
            f"--batch_size={loop.config.batch_size}: more memory is needed"
            " than there is; give a smaller one, here or (at an evaluation)"
            f" --evaluation_batch_size={loop.config.evaluation_batch_size}"
        ) from error


def _require_a_batch(config: RunConfig, dataset: Dataset) -> None:
    pairs, batch_size = len(dataset.train), config.train.batch_size
    if pairs < batch_size:
        raise UserError(
            f"--batch_size={batch_size}: the training split of"
            f" {config.data.data_dir} has only {pairs} pairs; give at most"
            f" --batch_size={pairs}"
        )


def _settle(config: RunConfig, run_dir: Path, is_chief: bool) -> RunConfig:
    """The config with `auto` resolved, saved, or checked against the saved."""
    path = run_dir / "config.json"
    # Before its first checkpoint a run has nothing that a config could not
    # fit: a user who follows an error's remedy begins it anew.
    if path.is_file() and has_checkpoint(run_dir):
        saved = RunConfig.load(run_dir)
        if config.train.dtype_policy == "auto":
            config = config.replace(dtype_policy=saved.train.dtype_policy)
        given = {**vars(config.data), **vars(config.train)}
        free = {name: given[name] for name in _FREE_TO_CHANGE}
        if different := saved.replace(**free).differences(config):
            raise UserError(
                f"--run_dir={run_dir}: holds a run of another config"
                f" ({'; '.join(different)}); give the same flags to resume"
                " it, or another --run_dir"
            )
        return config
    policy = environment.resolve_dtype_policy(config.train.dtype_policy)
    config = config.replace(dtype_policy=policy)
    if not is_chief:
        return config
    run_dir.mkdir(parents=True, exist_ok=True)
    details = json.dumps(environment.describe(), indent=2) + "\n"
    write_whole(run_dir / "environment.json", details)
    write_whole(path, config.to_json())
    return config


def _prepare(
    config: RunConfig,
    run_dir: Path,
    dataset: Dataset,
    checkpoints: Checkpoints,
    distribution: Distribution,
) -> tuple[TrainingLoop, Progress]:
    model, chief = checkpoints.model, distribution.is_chief
    step = TrainStep(model, checkpoints.optimizer, config.train, distribution)
    progress = _restore(config, checkpoints, dataset)
    _require_same_step(run_dir, progress, distribution)
    # The chief decodes what is not in the cache yet; the others wait for it.
    if not chief:
        distribution.wait()
    source = open_source(config, dataset.train, run_dir / "cache" / "train")
    log = MetricsLog(run_dir, progress.step) if chief else SilentLog()
    validation = None
    if chief and dataset.validation:

        def show(pictures: np.ndarray) -> None:
            log.write_pictures("retrieval", progress.step, pictures)

        validation = Validation(
            config, run_dir, dataset.validation, model, show
        )
    if chief:
        distribution.wait()
    batches = EpochBatches(config, model, source, dataset.train, distribution)
    loop = TrainingLoop(
        config.train,
        batches.steps_per_epoch,
        step,
        batches,
        validation,
        checkpoints,
        log,
        shows=chief,
        averaged=functools.partial(averaged_weights, checkpoints.optimizer),
        profile=StepProfile(
            run_dir / "tensorboard",
            config.train.profile_steps if chief else 0,
        ),
    )
    return loop, progress


def _require_same_step(
    run_dir: Path, progress: Progress, distribution: Distribution
) -> None:
    """Every worker must have gone on from the chief's checkpoint."""
    chief = int(distribution.from_chief(np.array([progress.step]))[0])
    if chief != progress.step:
        raise UserError(
            f"--run_dir={run_dir}: worker {distribution.worker} finds step"
            f" {progress.step} there and the chief step {chief}; give all"
            " workers the same folder"
        )


def _restore(
    config: RunConfig, checkpoints: Checkpoints, dataset: Dataset
) -> Progress:
    progress = checkpoints.restore_last()
    names = ids_digest(dataset.train)
    if progress is not None:
        if progress.data not in ("", names):
            raise UserError(
                f"--data_dir={config.data.data_dir}: its training pairs are"
                " not those that the run was begun with; give that data, or"
                " another --run_dir"
            )
        logging.info("going on from step %d", progress.step)
        return progress
    load_backbone_weights(checkpoints.model, config.train.backbone_weights)
    return Progress(data=names)
