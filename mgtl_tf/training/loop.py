"""The outer loop: epochs of steps, logs, evaluations, checkpoints, stops.

It calls what it is given and knows no files: the inner step, the order of
the data, the evaluation and the checkpoints come in from outside.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from absl import logging
from tqdm import tqdm

from mgtl_tf.config import TrainConfig
from mgtl_tf.training.checkpoint import Checkpoints, Progress
from mgtl_tf.training.logs import (
    MetricsLog,
    SilentLog,
    bar_figures,
    evaluation_line,
)
from mgtl_tf.training.meter import Meter, seconds_left
from mgtl_tf.training.optimizers import learning_rate
from mgtl_tf.training.profile import StepProfile
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError

Batches = Callable[[Progress], Iterable[dict[str, Any]]]
Result = dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """How the model is evaluated.

    Attributes:
        measure: the validation result, a dictionary ready for JSON with
            `["ground_to_satellite"]["r@1"]`; None without validation data.
        averaged: a context in which the model holds averaged weights, and
            that yields whether it does; evaluations and best checkpoints are
            made inside it, and without validation data the averages are kept
            as best.
    """

    measure: Callable[[], Result] | None = None
    averaged: Callable[[], AbstractContextManager[bool | None]] = (
        contextlib.nullcontext
    )


@dataclass(frozen=True)
class Callbacks:
    """What the loop reports to, and what may interrupt it.

    Attributes:
        log: gets all records.
        stop_requested, save_requested: called after every step.
        profile: records steps.
        progress_bar: whether one is shown.
    """

    log: MetricsLog | SilentLog
    stop_requested: Callable[[], bool] = lambda: False
    save_requested: Callable[[], bool] = lambda: False
    profile: StepProfile = field(default_factory=lambda: StepProfile("", 0))
    progress_bar: bool = True


@dataclass(frozen=True)
class TrainingLoop:
    """Trains until the config's end, or until a stop is requested.

    Args:
        config: lengths, intervals, learning rate.
        steps_per_epoch: whole batches in an epoch (R17).
        step: the inner step.
        batches: the rest of the epoch at a `Progress`; may set
            `progress.neighbours`.
        checkpoints: where state is saved.
        callbacks: log, interrupts, profile, progress bar.
        evaluation: how the model is evaluated.
    """

    config: TrainConfig
    steps_per_epoch: int
    step: TrainStep
    batches: Batches
    checkpoints: Checkpoints
    callbacks: Callbacks
    evaluation: Evaluation = Evaluation()

    @property
    def total_steps(self) -> int:
        """Steps of the whole run: `epochs`, cut at `max_steps`."""
        steps = self.config.epochs * self.steps_per_epoch
        return min(steps, self.config.max_steps or steps)

    def run(self, progress: Progress) -> bool:
        """Trains on from `progress`, which is moved along.

        Returns:
            Whether the run reached its end; False if it was asked to stop,
            its state saved.

        Raises:
            UserError: at a log line whose loss is not finite; no checkpoint
                holds such a step.
        """
        meter = Meter(self.config.batch_size)
        with self._bar(progress) as bar, self.callbacks.profile:
            while progress.step < self.total_steps:
                if not self._epoch(progress, meter, bar):
                    self._save(progress, meter, bar)
                    return False
        return True

    def _bar(self, progress: Progress) -> tqdm:
        return tqdm(
            total=self.total_steps,
            initial=progress.step,
            unit="step",
            desc="train",
            dynamic_ncols=True,
            disable=not self.callbacks.progress_bar,
        )

    def _epoch(self, progress: Progress, meter: Meter, bar: tqdm) -> bool:
        """The rest of an epoch; False where a stop was asked for."""
        if self.callbacks.stop_requested():
            return False
        for batch in meter.watch(self.batches(progress)):
            with self.callbacks.profile.step(progress.step):
                meter.add(self.step(batch, self._learning_rate(progress.step)))
            progress.step += 1
            progress.epoch_step += 1
            bar.update()
            if progress.step % self.config.log_every == 0:
                self._report(progress, meter, bar)
            if progress.step >= self.total_steps:
                break
            if self.callbacks.stop_requested():
                return False
            self._save_if_due(progress, meter, bar)
        if progress.epoch_step >= self.steps_per_epoch:
            progress.epoch, progress.epoch_step = progress.epoch + 1, 0
        self._close_epoch(progress, meter, bar)
        return True

    def _learning_rate(self, step: int) -> float:
        c = self.config
        return learning_rate(
            step, self.total_steps, c.learning_rate, c.schedule, c.warmup
        )

    def _report(self, progress: Progress, meter: Meter, bar: tqdm) -> None:
        if not meter.steps:
            return
        values, seconds = meter.flush()
        if not all(math.isfinite(v) for v in values.values()):
            raise UserError(
                f"training stopped at step {progress.step}: the loss is not"
                f" finite ({values['loss']}); lower --learning_rate, set"
                " --clip_norm, or use --dtype_policy=float32"
            )
        progress.seconds += seconds
        self.callbacks.log.write(
            "train",
            progress.step,
            {
                # Of the last step, also where the epoch is just closed.
                "epoch": (progress.step - 1) // self.steps_per_epoch,
                **values,
                "learning_rate": self._learning_rate(progress.step - 1),
                "seconds": progress.seconds,
            },
        )
        bar.set_postfix(bar_figures(values))
        self._warn_of_collapse(progress, values)

    def _warn_of_collapse(self, progress: Progress, values: dict) -> None:
        # Fresh networks begin with all descriptors close together, so the
        # first tenth of a run says nothing.
        early = progress.step < 0.1 * self.total_steps
        if not early and values["negative_distance"] < 0.01:
            logging.warning(
                "step %d: descriptors collapse (mean squared distance of"
                " negative pairs %.5f, of positive pairs %.5f): a low"
                " generative loss means nothing now",
                progress.step,
                values["negative_distance"],
                values["positive_distance"],
            )

    def _close_epoch(self, progress: Progress, meter: Meter, bar: tqdm) -> None:
        every = self.config.evaluate_every
        finished = progress.step >= self.total_steps
        due = every > 0 and progress.epoch % every == 0
        if not (finished or due):
            return
        self._report(progress, meter, bar)
        with self.evaluation.averaged() as averaged:
            if self.evaluation.measure is not None:
                self._evaluate(self.evaluation.measure, progress, meter, bar)
            elif averaged:
                self.checkpoints.save_best(progress)
        self._save(progress, meter, bar)
        meter.skip()

    def _evaluate(
        self,
        measure: Callable[[], Result],
        progress: Progress,
        meter: Meter,
        bar: tqdm,
    ) -> None:
        began = time.monotonic()
        result = measure()
        seconds = time.monotonic() - began
        progress.evaluated = progress.step
        recall = result["ground_to_satellite"]["r@1"]
        # Ties go to the later model: on a saturated split the training goes
        # on to improve what recall no longer shows.
        if recall >= progress.best:
            progress.best = recall
            self.checkpoints.save_best(progress)
        own = {"epoch": progress.epoch, "seconds": progress.seconds}
        own |= {"best": progress.best, "evaluation_seconds": seconds}
        self.callbacks.log.write("evaluation", progress.step, {**own, **result})
        left = seconds_left(
            self.config,
            self.steps_per_epoch,
            self.total_steps - progress.step,
            meter.seconds_per_step,
            seconds,
        )
        line = evaluation_line(progress, result, left, meter.input_wait)
        bar.write(line)

    def _save_if_due(self, progress: Progress, meter: Meter, bar: tqdm) -> None:
        config = self.config
        asked = self.callbacks.save_requested()
        late = time.monotonic() - meter.saved > 60 * config.checkpoint_minutes
        steps = config.checkpoint_steps
        if asked or late or (steps and progress.step % steps == 0):
            self._save(progress, meter, bar)
        if asked:
            bar.write(f"step {progress.step}: checkpoint written as asked")

    def _save(self, progress: Progress, meter: Meter, bar: tqdm) -> None:
        # Reported first: a loss that is not finite is never saved, and the
        # seconds of a resumed run are those of all its steps.
        self._report(progress, meter, bar)
        self.checkpoints.save_last(progress)
        meter.saved = time.monotonic()


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """The random numbers that order an epoch: the same after a resume."""
    return np.random.default_rng([seed, epoch])
