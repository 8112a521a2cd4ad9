"""Training a run, or going on with one, from records to report."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.aerial_images import aerial_images
from mgtl_tf.datasets.negatives import require_negatives
from mgtl_tf.datasets.records import Dataset, positions
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.models import build_model
from mgtl_tf.training import environment
from mgtl_tf.training.checkpoint import (
    Checkpoints,
    Progress,
    UnsavedCheckpoints,
)
from mgtl_tf.training.distribution import Distribution
from mgtl_tf.training.logs import MetricsLog, SilentLog
from mgtl_tf.training.loop import Callbacks, Evaluation, TrainingLoop
from mgtl_tf.training.optimizers import averaged_weights, make_optimizer
from mgtl_tf.training.profile import StepProfile
from mgtl_tf.training.signals import SaveSignal, StopSignals
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.inputs import open_source, read_data
from mgtl_tf.workflows.order import EpochOrder
from mgtl_tf.workflows.resume import locked_run, resolve_run_config, restore
from mgtl_tf.workflows.run_report import write_run_report
from mgtl_tf.workflows.validation import Validation

_FEWEST_PAIRS = 2


def train(config: RunConfig, run_dir: Path | str) -> bool:
    """Trains a model; a run folder that holds an unfinished run goes on.

    What it starts from: see `restore`. SIGINT and SIGTERM save and stop,
    SIGUSR1 saves.

    Args:
        config: of the run; once a checkpoint was written it must equal the
            one that the run was begun with, but for where the data lie, how
            often the run logs, evaluates and saves, and which devices it is
            spread over.
        run_dir: where config.json, checkpoints/, metrics.jsonl,
            tensorboard/, cache/ and report/ go; of several workers, one
            folder that all of them reach.

    Returns:
        True when the run is finished, False when a signal stopped it early
        (its state is saved).

    Raises:
        UserError: for data, flags or a run folder that do not fit, or
            where another process trains there.
    """
    run_dir = Path(run_dir)
    # First of all: the servers of several workers start here.
    distribution = Distribution(config.train.strategy)
    with SaveSignal() as saves:
        distribution.check_batch(
            config.train.batch_size, config.train.micro_batch
        )
        dataset = _read(config)
        with locked_run(run_dir, distribution.is_chief):
            config = resolve_run_config(config, run_dir, distribution.is_chief)
            with distribution.naming_lost_workers():
                finished = _train(config, run_dir, dataset, distribution, saves)
            if finished and distribution.is_chief:
                write_run_report(run_dir, dataset)
    return finished


def _read(config: RunConfig) -> Dataset:
    """The run's data, of which it can be trained.

    Raises:
        UserError: where it cannot, with what can work.
    """
    data, batch_size = config.data, config.train.batch_size
    dataset = read_data(config)
    count = len(dataset.train)
    if count < _FEWEST_PAIRS:
        has = f"{count} pair{'' if count == 1 else 's'}"
        raise UserError(
            f"--data_dir={data.data_dir}: its training split has {has};"
            f" {_FEWEST_PAIRS} are the least to train on, since every pair"
            " needs a wrong one"
        )
    if count < batch_size:
        raise UserError(
            f"--batch_size={batch_size}: the training split of"
            f" {data.data_dir} has only {count} pairs; give at most"
            f" --batch_size={count}"
        )
    require_negatives(
        aerial_images(dataset.train),
        positions(dataset.train),
        data.same_place_metres,
        data.data_dir,
    )
    return dataset


def _train(
    config: RunConfig,
    run_dir: Path,
    dataset: Dataset,
    distribution: Distribution,
    saves: SaveSignal,
) -> bool:
    environment.set_determinism(config.train.seed, config.train.deterministic)
    with distribution.scope():
        model = build_model(config.model, config.train.dtype_policy)
        optimizer = make_optimizer(config.train, model.trainable_variables)
    kind = Checkpoints if distribution.is_chief else UnsavedCheckpoints
    checkpoints = kind(run_dir, model, optimizer, config.train.keep_checkpoints)
    with StopSignals() as stops:
        requests = {
            "save_requested": saves.taken,
            "stop_requested": lambda: distribution.any_worker(
                stops.requested()
            ),
        }
        loop, progress = _prepare(
            config, run_dir, dataset, checkpoints, distribution, requests
        )
        finished = _run(loop, progress)
    loop.callbacks.log.close()
    return finished


def _run(loop: TrainingLoop, progress: Progress) -> bool:
    try:
        return loop.run(progress)
    except tf.errors.ResourceExhaustedError as error:
        raise UserError(
            f"--batch_size={loop.config.batch_size}: more memory is needed"
            " than there is; give a smaller one, or a --micro_batch, or (at"
            " an evaluation) a smaller"
            f" --evaluation_batch_size={loop.config.evaluation_batch_size}"
        ) from error


def _prepare(
    config: RunConfig,
    run_dir: Path,
    dataset: Dataset,
    checkpoints: Checkpoints,
    distribution: Distribution,
    requests: dict[str, Callable[[], bool]],
) -> tuple[TrainingLoop, Progress]:
    model, chief = checkpoints.model, distribution.is_chief
    step = TrainStep(model, checkpoints.optimizer, config.train, distribution)
    progress = restore(config, checkpoints, dataset)
    _require_same_step(run_dir, progress, distribution)
    source = _source(config, run_dir, dataset, distribution)
    log = (
        MetricsLog(run_dir, progress.step, progress.evaluated)
        if chief
        else SilentLog()
    )
    validation = None
    if chief:
        validation = _validation(
            config, run_dir, dataset, checkpoints, log, progress
        )
    averaged = functools.partial(
        averaged_weights, checkpoints.optimizer, model.trainable_variables
    )
    profile = StepProfile(
        run_dir / "tensorboard", config.train.profile_steps if chief else 0
    )
    loop = TrainingLoop(
        config.train,
        len(source) // config.train.batch_size,
        step,
        EpochOrder(config, model, source, dataset.train, distribution),
        checkpoints,
        Callbacks(log, profile=profile, progress_bar=chief, **requests),
        Evaluation(validation, averaged),
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


def _source(
    config: RunConfig,
    run_dir: Path,
    dataset: Dataset,
    distribution: Distribution,
) -> PairSource:
    """The training images; what is not decoded yet, the chief decodes."""
    cache = run_dir / "cache" / "train"
    if not distribution.is_chief:
        distribution.wait()
        return open_source(config, dataset.train, cache)
    source = open_source(config, dataset.train, cache)
    distribution.wait()
    return source


def _validation(
    config: RunConfig,
    run_dir: Path,
    dataset: Dataset,
    checkpoints: Checkpoints,
    log: MetricsLog | SilentLog,
    progress: Progress,
) -> Validation | None:
    """What measures the model on the validation split, if there is one."""
    if not dataset.validation:
        return None

    def show(pictures: np.ndarray) -> None:
        log.write_pictures("retrieval", progress.step, pictures)

    return Validation(config, run_dir, dataset, checkpoints.model, show)
