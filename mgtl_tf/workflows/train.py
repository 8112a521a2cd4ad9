"""Training a run, or going on with one, from records to report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from mgtl_tf import evaluation
from mgtl_tf.config import RunConfig
from mgtl_tf.data.readers import read_dataset
from mgtl_tf.data.records import Dataset
from mgtl_tf.errors import UserError
from mgtl_tf.folders import unwritable
from mgtl_tf.folders import write_whole
from mgtl_tf.systems import build_model
from mgtl_tf.training import environment
from mgtl_tf.training.checkpoint import Checkpoints
from mgtl_tf.training.checkpoint import Progress
from mgtl_tf.training.checkpoint import has_checkpoint
from mgtl_tf.training.logs import MetricsLog
from mgtl_tf.training.loop import TrainingLoop
from mgtl_tf.training.save_signal import SaveSignal
from mgtl_tf.training.step import TrainStep
from mgtl_tf.training.step import make_optimizer
from mgtl_tf.training.stops import StopSignals
from mgtl_tf.workflows.inputs import open_source
from mgtl_tf.workflows.inputs import pair_bar
from mgtl_tf.workflows.inputs import validation_batches
from mgtl_tf.workflows.order import EpochBatches
from mgtl_tf.workflows.restore import restore
from mgtl_tf.workflows.run_report import write_run_report

# Data may have moved, and a resumed run may log and save at another pace;
# every other field decides the weights.
_FREE_TO_CHANGE = (
    "data_dir",
    "cache",
    "log_every",
    "checkpoint_minutes",
    "checkpoint_steps",
    "keep_checkpoints",
    "evaluate_every",
    "evaluation_batch_size",
)


def train(config: RunConfig, run_dir: Path | str) -> bool:
    """Trains a model; a run folder that holds an unfinished run goes on.

    What it starts from: see `restore`. SIGINT and SIGTERM save and stop,
    SIGUSR1 saves.

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
    with SaveSignal() as saves:
        return _train(config, Path(run_dir), saves)


def _train(config: RunConfig, run_dir: Path, saves: SaveSignal) -> bool:
    dataset = read_dataset(config.data.dataset, config.data.data_dir)
    for note in dataset.notes:
        logging.warning("%s: %s", config.data.data_dir, note)
    _require_a_batch(config, dataset)
    config = _settle(config, run_dir)
    environment.set_determinism(config.train.seed, config.train.deterministic)
    model = build_model(config.model, config.train.dtype_policy)
    checkpoints = Checkpoints(
        run_dir,
        model,
        make_optimizer(config.train),
        config.train.keep_checkpoints,
    )
    loop, progress = _prepare(config, run_dir, dataset, checkpoints)
    loop.save_requested = saves.taken
    with StopSignals() as signals:
        loop.stop_requested = signals.requested
        finished = _run(loop, progress)
    loop.log.close()
    if finished:
        write_run_report(run_dir, dataset)
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


def _settle(config: RunConfig, run_dir: Path) -> RunConfig:
    """The config with `auto` resolved, saved, or checked against the saved."""
    path = run_dir / "config.json"
    # Before its first checkpoint a run has nothing that a config could not
    # fit: a user who follows an error's remedy begins it anew.
    if has_checkpoint(run_dir):
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
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(f"--run_dir={run_dir}", error) from error
    details = json.dumps(environment.describe(), indent=2) + "\n"
    write_whole(run_dir / "environment.json", details)
    write_whole(path, config.to_json())
    return config


def _prepare(
    config: RunConfig,
    run_dir: Path,
    dataset: Dataset,
    checkpoints: Checkpoints,
) -> tuple[TrainingLoop, Progress]:
    model = checkpoints.model
    step = TrainStep(model, checkpoints.optimizer, config.train)
    progress = restore(config, checkpoints, dataset)
    source = open_source(config, dataset.train, run_dir / "cache" / "train")
    batches = EpochBatches(config, model, source, dataset.train)
    evaluate = _evaluation(config, run_dir, dataset, model)
    loop = TrainingLoop(
        config.train,
        batches.steps_per_epoch,
        step,
        batches,
        evaluate,
        checkpoints,
        MetricsLog(run_dir, progress.step, progress.evaluated),
    )
    return loop, progress


def _evaluation(
    config: RunConfig, run_dir: Path, dataset: Dataset, model: keras.Model
) -> Callable[[], evaluation.Result] | None:
    """What measures the model on the validation split, if there is one."""
    pairs = dataset.validation
    if not pairs:
        return None
    source = open_source(config, pairs, run_dir / "cache" / "validation")

    def evaluate() -> evaluation.Result:
        with pair_bar("evaluate", len(pairs)) as bar:
            return evaluation.evaluate_model(
                model, validation_batches(config, source), pairs, bar.update
            )

    return evaluate
