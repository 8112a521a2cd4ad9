"""A profile of a few train steps, for TensorBoard's profiler."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from absl import logging

from mgtl_tf.utils.plain_path import as_os_errors, plain_path

# The first step traces and compiles, the next ones still warm caches.
_SKIPPED_STEPS = 3


class StepProfile(contextlib.ExitStack):
    """Records the first steps after a warm-up; a context around a run.

    Leaving the context ends the recording. A failure to record is logged and
    does not stop the run.

    Args:
        folder: of TensorBoard; the trace goes to `plugins/profile` in it.
        steps: how many to record; 0: none.
    """

    def __init__(self, folder: Path | str, steps: int):
        super().__init__()
        self.folder = Path(folder)
        self.steps = steps
        self._seen = 0
        self._recording = False
        self.callback(self._end)

    @contextlib.contextmanager
    def step(self, number: int) -> Iterator[None]:
        """A context around a step, whose number the trace shows."""
        if self.steps and self._seen == _SKIPPED_STEPS:
            self._start()
        self._seen += 1
        if not self._recording:
            yield
            return
        with tf.profiler.experimental.Trace("train", step_num=number, _r=1):
            yield
        if self._seen == _SKIPPED_STEPS + self.steps:
            self._stop()

    def _start(self) -> None:
        with self._logging_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            folder = self.enter_context(plain_path(self.folder))
            tf.profiler.experimental.start(str(folder))
            self._recording = True

    def _stop(self) -> None:
        self._recording = False
        with self._logging_errors():
            # A GPU may still be at the last step.
            tf.test.experimental.sync_devices()
            tf.profiler.experimental.stop()
            logging.info(
                "a profile of %d steps is in %s; after pip install xprof,"
                " tensorboard --logdir=%s shows it",
                self._seen - _SKIPPED_STEPS,
                self.folder / "plugins" / "profile",
                self.folder,
            )

    def _end(self) -> None:
        if self._recording:
            self._stop()
        elif self.steps and self._seen <= _SKIPPED_STEPS:
            logging.warning(
                "profile_steps=%d: nothing was recorded, the run ended within"
                " its first %d steps",
                self.steps,
                _SKIPPED_STEPS,
            )

    @contextlib.contextmanager
    def _logging_errors(self) -> Iterator[None]:
        try:
            with as_os_errors():
                yield
        except OSError as error:
            logging.warning(
                "profile_steps=%d: no profile could be made (%s)",
                self.steps,
                error.strerror or error,
            )
