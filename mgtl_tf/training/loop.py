"""The outer loop: epochs of steps, logs, evaluations, checkpoints, stops.

It knows no files: the step, the batches, the evaluation and the checkpoints
are arguments.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

from absl import logging
from tqdm import tqdm

from mgtl_tf.config import TrainConfig
from mgtl_tf.training.callbacks import Callbacks, Result
from mgtl_tf.training.checkpoint import Checkpoints
from mgtl_tf.training.meter import Meter, duration_text, seconds_left
from mgtl_tf.training.optimizers import learning_rate
from mgtl_tf.training.progress import Progress
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError

Batches = Callable[[Progress], Iterable[dict[str, Any]]]


class TrainingLoop:
    """Trains until the config's end, or until a stop is requested.

    Args:
        config: lengths, intervals, learning rate.
        steps_per_epoch: complete batches in an epoch (R17).
        step: the inner step.
        batches: the rest of the epoch at a `Progress`; may set
            `progress.neighbours`.
        checkpoints: where state is saved.
        callbacks: log, evaluation, interrupts, profile, progress bar.
    """

    def __init__(
        self,
        config: TrainConfig,
        steps_per_epoch: int,
        step: TrainStep,
        batches: Batches,
        checkpoints: Checkpoints,
        callbacks: Callbacks,
    ):
        self.config = config
        self.steps_per_epoch = steps_per_epoch
        self.step = step
        self.batches = batches
        self.checkpoints = checkpoints
        self.callbacks = callbacks
        steps = config.epochs * steps_per_epoch
        self.total_steps = min(steps, config.max_steps or steps)
        self._meter = Meter(config.batch_size)
        self._saved = 0.0  # time of the last checkpoint
        self._bar = tqdm(disable=True)

    def run(self, progress: Progress) -> bool:
        """Trains from `progress` on and updates it.

        Returns:
            Whether the run reached its end; False if it was asked to stop,
            its state saved.

        Raises:
            UserError: at a log line whose loss is not finite; no checkpoint
                holds such a step.
        """
        self._meter.skip()
        self._saved = time.monotonic()
        self._bar = tqdm(
            total=self.total_steps,
            initial=progress.step,
            unit="step",
            desc="train",
            dynamic_ncols=True,
            disable=not self.callbacks.progress_bar,
        )
        with self._bar, self.callbacks.profile:
            while progress.step < self.total_steps:
                if not self._epoch(progress):
                    self._save(progress)
                    return False
        return True

    def _epoch(self, progress: Progress) -> bool:
        """The rest of an epoch; False where a stop was requested."""
        if self.callbacks.stop_requested():
            return False
        for batch in self._meter.watch(self.batches(progress)):
            with self.callbacks.profile.step(progress.step):
                rate = self._learning_rate(progress.step)
                self._meter.add(self.step(batch, rate))
            progress.step += 1
            progress.epoch_step += 1
            self._bar.update()
            if progress.step % self.config.log_every == 0:
                self._log(progress)
            if progress.step >= self.total_steps:
                break
            if self.callbacks.stop_requested():
                return False
            self._save_if_due(progress)
        if progress.epoch_step >= self.steps_per_epoch:
            progress.epoch, progress.epoch_step = progress.epoch + 1, 0
        self._close_epoch(progress)
        return True

    def _learning_rate(self, step: int) -> float:
        c = self.config
        return learning_rate(
            step, self.total_steps, c.learning_rate, c.schedule, c.warmup
        )

    def _log(self, progress: Progress) -> None:
        if not self._meter.steps:
            return
        values, seconds = self._meter.flush()
        if not all(math.isfinite(v) for v in values.values()):
            raise UserError(
                f"training stopped at step {progress.step}: the loss is not"
                f" finite ({values['loss']}); lower learning_rate, set"
                " clip_norm, or use dtype_policy=float32"
            )
        progress.seconds += seconds
        record = {
            # Of the last step, also where the epoch has just ended.
            "epoch": (progress.step - 1) // self.steps_per_epoch,
            **values,
            "learning_rate": self._learning_rate(progress.step - 1),
            "seconds": progress.seconds,
        }
        self.callbacks.log.write("train", progress.step, record)
        self._bar.set_postfix(_bar_figures(values))
        # Descriptors of fresh networks are close together: the first tenth
        # of a run says nothing.
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

    def _close_epoch(self, progress: Progress) -> None:
        every = self.config.evaluate_every
        finished = progress.step >= self.total_steps
        if not finished and (not every or progress.epoch % every):
            return
        self._log(progress)
        with self.callbacks.averaged() as averaged:
            if self.callbacks.evaluate is not None:
                self._evaluate(self.callbacks.evaluate, progress)
            elif averaged:
                self.checkpoints.save_best(progress)
        self._save(progress)
        self._meter.skip()

    def _evaluate(
        self, evaluate: Callable[[], Result], progress: Progress
    ) -> None:
        began = time.monotonic()
        result = evaluate()
        seconds = time.monotonic() - began
        progress.evaluated = progress.step
        recall = result["ground_to_satellite"]["r@1"]
        # Ties go to the later model: where recall is saturated, training
        # still improves what it no longer shows.
        if recall >= progress.best:
            progress.best = recall
            self.checkpoints.save_best(progress)
        record = {
            "epoch": progress.epoch,
            "seconds": progress.seconds,
            "best": progress.best,
            "evaluation_seconds": seconds,
            **result,
        }
        self.callbacks.log.write("evaluation", progress.step, record)
        left = seconds_left(
            self.total_steps - progress.step,
            self._meter.seconds_per_step,
            self.config.evaluate_every * self.steps_per_epoch,
            seconds,
        )
        left_text = f"about {duration_text(left)} left" if left else "finished"
        self._bar.write(
            f"step {progress.step}: r@1 {100 * recall:.2f} % of"
            f" {result['gallery_size']}, best {100 * progress.best:.2f} %,"
            f" trained {duration_text(progress.seconds)}, {left_text},"
            f" input wait {100 * self._meter.input_wait:.1f} %"
        )

    def _save_if_due(self, progress: Progress) -> None:
        requested = self.callbacks.save_requested()
        minutes = (time.monotonic() - self._saved) / 60
        steps = self.config.checkpoint_steps
        due = minutes > self.config.checkpoint_minutes
        if requested or due or (steps and progress.step % steps == 0):
            self._save(progress)
        if requested:
            self._bar.write(f"step {progress.step}: checkpoint written")

    def _save(self, progress: Progress) -> None:
        # Logged first: a loss that is not finite is never saved, and the
        # seconds of a resumed run are those of all its steps.
        self._log(progress)
        self.checkpoints.save_last(progress)
        self._saved = time.monotonic()


def _bar_figures(values: dict[str, float]) -> dict[str, str]:
    """What the progress bar shows of a "train" record."""
    names = [name for name in values if name.endswith("_loss")]
    retrieval = [name for name in names if name != "generative_loss"]
    return {
        "loss": f"{values['loss']:.4f}",
        **{n.removesuffix("_loss"): f"{values[n]:.4f}" for n in retrieval},
        "generative": f"{values['generative_loss']:.3f}",
        "pairs_per_second": f"{values['pairs_per_second']:.1f}",
        "input_wait": f"{100 * values['input_wait']:.1f}%",
    }
