"""Training a run, or resuming one, from records to report."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.records import Dataset, ids_digest, offsets_of
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.models import build_model
from mgtl_tf.models.backbones import backbone_digest
from mgtl_tf.training import environment
from mgtl_tf.training.callbacks import Callbacks
from mgtl_tf.training.checkpoint import Checkpoints
from mgtl_tf.training.distribution import Distribution
from mgtl_tf.training.logs import MetricsLog
from mgtl_tf.training.loop import TrainingLoop
from mgtl_tf.training.optimizers import averaged_weights, optimizer_of
from mgtl_tf.training.profile import StepProfile
from mgtl_tf.training.signals import save_signal, stop_signals
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.features import first_block, open_inputs
from mgtl_tf.workflows.inputs import (
    open_source,
    read_trainable,
    with_label_maps,
)
from mgtl_tf.workflows.order import EpochOrder
from mgtl_tf.workflows.resume import (
    locked_run,
    record_start,
    resolve_run_config,
    restore,
)
from mgtl_tf.workflows.start import Start
from mgtl_tf.workflows.validation import open_validation, write_run_report


def train(config: RunConfig, run_dir: Path | str) -> bool:
    """Trains a model; a run folder that holds an unfinished run resumes.

    What it starts from: see `restore`. SIGINT and SIGTERM save and stop,
    SIGUSR1 saves.

    Args:
        config: of the run; once a checkpoint was written it must equal the
            one that the run was begun with, but for where the data are, how
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
    with save_signal() as save_requested:
        distribution.check_batch(
            config.train.batch_size, config.train.micro_batch
        )
        dataset = read_trainable(config.data, config.train.batch_size)
        if config.model.offset_head:
            offsets_of(dataset.train)  # refused before anything is decoded
        with locked_run(run_dir, distribution.is_chief):
            config = resolve_run_config(config, run_dir, distribution.is_chief)
            training = _Training(config, run_dir, dataset, distribution)
            with distribution.naming_lost_workers():
                finished = training.run(save_requested)
            if finished and distribution.is_chief:
                write_run_report(run_dir, dataset)
    return finished


class _Training:
    """One run on this process: its parts, and the loop over them."""

    def __init__(
        self,
        config: RunConfig,
        run_dir: Path,
        dataset: Dataset,
        distribution: Distribution,
    ):
        model, data, train = config.model, config.data, config.train
        self.data = data
        self.train = train
        self.form = model.input_form
        self.run_dir = run_dir
        self.cache = run_dir / "cache" / "train"
        self.dataset = dataset
        self.distribution = distribution
        environment.set_determinism(train.seed, train.deterministic)
        with distribution.scope():
            self.model = build_model(model, train.dtype_policy)
            self.model.freeze_blocks(train.freeze_blocks)
            self.optimizer = optimizer_of(
                self.model, train, distribution.replicas
            )
        self.checkpoints = Checkpoints(
            run_dir,
            self.model,
            self.optimizer,
            train.keep_checkpoints,
            writes=distribution.is_chief,
        )
        self.network = config.network
        self.first_block = first_block(data.feature_cache, train.freeze_blocks)
        self.start = Start(
            train.init_from,
            train.init_backbone,
            train.backbone_weights,
            train.freeze_blocks,
            model.backbone_normalization,
        )

    def run(self, save_requested: Callable[[], bool]) -> bool:
        """Trains; whether the end was reached."""
        chief, train = self.distribution.is_chief, self.train
        with stop_signals() as stop_requested:
            step = TrainStep(
                self.model,
                self.optimizer,
                train,
                self.distribution,
                self.first_block,
            )
            progress = restore(
                self.checkpoints,
                ids_digest(self.dataset.train),
                self.network,
                self.start,
            )
            self._require_same_step(progress.step)
            if chief and not progress.step and not self.start.is_random:
                record_start(self.run_dir, backbone_digest(self.model))
            source = self._source()
            log = MetricsLog(
                self.run_dir, progress.step, progress.evaluated, writes=chief
            )

            def show(pictures: np.ndarray) -> None:
                log.write_pictures("retrieval", progress.step, pictures)

            callbacks = Callbacks(
                log,
                self._evaluation(show),
                functools.partial(
                    averaged_weights,
                    self.optimizer,
                    self.model.trainable_variables,
                ),
                lambda: self.distribution.any_worker(stop_requested()),
                save_requested,
                StepProfile(
                    self.run_dir / "tensorboard", train.profile_steps * chief
                ),
                progress_bar=chief,
            )
            order = EpochOrder(
                self.data,
                train,
                self.model,
                source,
                self.dataset.train,
                self.distribution,
            )
            loop = TrainingLoop(
                train,
                len(source) // train.batch_size,
                step,
                order,
                self.checkpoints,
                callbacks,
            )
            try:
                finished = loop.run(progress)
            except tf.errors.ResourceExhaustedError as error:
                raise UserError(
                    f"batch_size={train.batch_size}: more memory is needed than"
                    " there is; give a smaller one, or a micro_batch, or (at an"
                    " evaluation) a smaller evaluation_batch_size"
                ) from error
        log.close()
        return finished

    def _require_same_step(self, step: int) -> None:
        """Every worker must have restored the chief's checkpoint."""
        chief = int(self.distribution.from_chief(np.array([step]))[0])
        if chief != step:
            raise UserError(
                f"{self.run_dir}: worker {self.distribution.worker} finds step"
                f" {step} there and the chief step {chief}; give all workers"
                " the same folder"
            )

    def _source(self) -> PairSource:
        """The training pairs' inputs; only the chief makes missing ones."""
        pairs = self.dataset.train
        pixels = functools.partial(
            open_source,
            self.data,
            self.form,
            pairs,
            self.cache,
        )
        if not self.distribution.is_chief:
            self.distribution.wait()
        source, _ = open_inputs(
            self.data, self.train.freeze_blocks, self.model, pairs, pixels
        )
        if self.model.config.learns_from_labels:
            source = with_label_maps(
                source, self.data, self.form, pairs, self.cache
            )
        if self.distribution.is_chief:
            self.distribution.wait()
        return source

    def _evaluation(self, show: Callable[[np.ndarray], None]):
        """The chief's evaluation of the validation split, if there is one."""
        if not self.dataset.validation or not self.distribution.is_chief:
            return None
        validation = open_validation(
            self.dataset, self.data, self.train, self.model, self.run_dir
        )
        return functools.partial(
            validation.shown, self.model, self.train.retrieval_pictures, show
        )
