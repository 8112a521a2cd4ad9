"""A profile of a few train steps, for TensorBoard's profiler."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from absl import logging

from mgtl_tf.utils.plain_path import as_os_errors, plain_path

# The first step traces and compiles, the next ones still warm caches.
_SKIPPED_STEPS = 3
_VIEWERS = ("xprof", "tensorboard_plugin_profile")


class StepProfile:
    """Records the first steps after a warm-up; a context around a run.

    Leaving the context ends the recording, also where the run ended first.
    A recording that cannot be made is told in one line and stops no run.

    Args:
        folder: of TensorBoard; the trace goes to `plugins/profile` in it.
        steps: how many to record; 0: nothing is done.
    """

    def __init__(self, folder: Path | str, steps: int):
        self.folder = Path(folder)
        self.steps = steps
        self._seen = 0
        self._recording = False
        self._links = contextlib.ExitStack()

    def __enter__(self) -> StepProfile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._recording:
            self._stop()
        elif self.steps and self._seen <= _SKIPPED_STEPS:
            logging.warning(
                "--profile_steps=%d: nothing was recorded, the run ended"
                " within its first %d steps",
                self.steps,
                _SKIPPED_STEPS,
            )

    @contextlib.contextmanager
    def step(self, number: int) -> Iterator[None]:
        """A context around a step, whose number the trace will show."""
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
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            folder = self._links.enter_context(plain_path(self.folder))
            with as_os_errors():
                tf.profiler.experimental.start(str(folder))
            self._recording = True
        except OSError as error:
            self._tell_failure(error)

    def _stop(self) -> None:
        self._recording = False
        try:
            # A GPU may still be at the last step.
            tf.test.experimental.sync_devices()
            with as_os_errors():
                tf.profiler.experimental.stop()
        except OSError as error:
            self._tell_failure(error)
            return
        finally:
            self._links.close()
        missing = not any(map(importlib.util.find_spec, _VIEWERS))
        logging.info(
            "a profile of %d steps lies in %s; tensorboard --logdir=%s%s",
            self._seen - _SKIPPED_STEPS,
            self.folder / "plugins" / "profile",
            self.folder,
            " shows it after pip install xprof" if missing else " shows it",
        )

    def _tell_failure(self, error: OSError) -> None:
        logging.warning(
            "--profile_steps=%d: no profile could be made (%s)",
            self.steps,
            error.strerror or error,
        )
