"""What a run says: metrics.jsonl, TensorBoard, one line an evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from mgtl_tf.training.checkpoint import Progress
from mgtl_tf.training.meter import duration_text
from mgtl_tf.training.step import LOSS_NAMES
from mgtl_tf.utils.atomic_io import atomic_write, unwritable
from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.plain_files import UnfitFileError, damaged, read_bytes
from mgtl_tf.utils.plain_path import as_os_errors, plain_path

# Of metrics.jsonl; a line has under a kilobyte.
_LARGEST = 2**30


class MetricsLog:
    """Appends records to `metrics.jsonl` and the same to TensorBoard.

    Lines after the step that a run resumes from belong to steps that are
    trained again; they are dropped, so that no step appears twice.

    Args:
        run_dir: the run folder.
        step: the step from which the run goes on.
        evaluated: the last step whose evaluation it goes on from; by
            default `step`.

    Raises:
        UserError: where either cannot be written.
    """

    def __init__(
        self, run_dir: Path | str, step: int = 0, evaluated: int | None = None
    ):
        self._path = Path(run_dir) / "metrics.jsonl"
        self._board_dir = Path(run_dir) / "tensorboard"
        _drop_after(self._path, step, step if evaluated is None else evaluated)
        # For TensorFlow, which does not write to a folder of any name.
        self._links = ExitStack()
        with self._writing_board():
            self._board_dir.mkdir(exist_ok=True)
            folder = self._links.enter_context(plain_path(self._board_dir))
            self._board = tf.summary.create_file_writer(str(folder))

    def write(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """One record; nested numbers become TensorBoard scalars `a/b`.

        Raises:
            UserError: where it cannot be written.
        """
        record = {"kind": kind, "step": step, **values}
        try:
            with self._path.open("a") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise unwritable(self._path, error) from error
        with self._writing_board(), self._board.as_default(step=step):
            for name, value in _scalars(values, kind):
                tf.summary.scalar(name, value)
            self._board.flush()

    def write_pictures(self, name: str, step: int, pictures: np.ndarray):
        """Pictures of a step, to TensorBoard alone.

        Args:
            name: what they are shown under.
            step: from the start of the run.
            pictures: RGB uint8 [N, H, W, 3].
        """
        with self._writing_board(), self._board.as_default(step=step):
            tf.summary.image(name, pictures, max_outputs=len(pictures))
            self._board.flush()

    def close(self) -> None:
        """Closes the TensorBoard file."""
        with self._writing_board(), self._links:
            self._board.close()

    @contextmanager
    def _writing_board(self) -> Iterator[None]:
        try:
            with as_os_errors():
                yield
        except OSError as error:
            raise unwritable(self._board_dir, error) from error


class SilentLog:
    """The log of a worker that is not the chief: nothing is written."""

    def write(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """Does nothing; the chief writes the same."""

    def write_pictures(self, name: str, step: int, pictures: np.ndarray):
        """Does nothing; the chief writes the same."""

    def close(self) -> None:
        """Does nothing."""


@dataclass(frozen=True)
class _Record:
    """What every line of metrics.jsonl holds, besides its values."""

    kind: str
    step: int


def read_metrics(run_dir: Path | str) -> list[dict[str, Any]]:
    """The records of a run, in order; an unfinished last line is left out.

    Raises:
        UserError: where the file cannot be read.
    """
    path = Path(run_dir) / "metrics.jsonl"
    if not path.is_file():
        return []
    try:
        lines = read_bytes(path, _LARGEST).split(b"\n")
    except UnfitFileError as error:
        raise damaged(path, error, "put back a copy") from error
    records = []
    for line in filter(None, lines):
        try:
            # A loss that is not finite stays in the log.
            parse_json(line, _Record, finite=False)
            record = parse_json(line, dict[str, Any], finite=False)
        except UnfitFileError:
            logging.warning("%s: an unfinished line was left out", path)
        else:
            records.append(record)
    return records


def bar_figures(values: dict[str, float]) -> dict[str, str]:
    """What the progress bar tells of a "train" record."""
    retrieval = [name for name in LOSS_NAMES.values() if name in values]
    return {
        "loss": f"{values['loss']:.4f}",
        **{n.removesuffix("_loss"): f"{values[n]:.4f}" for n in retrieval},
        "generative": f"{values['generative_loss']:.3f}",
        "pairs_per_second": f"{values['pairs_per_second']:.1f}",
        "input_wait": f"{100 * values['input_wait']:.1f}%",
    }


def evaluation_line(
    progress: Progress,
    result: dict[str, Any],
    seconds_left: float,
    input_wait: float,
) -> str:
    """What is printed after an evaluation.

    Args:
        progress: `best` already counts this evaluation.
        result: of the evaluation.
        seconds_left: until the end of the run.
        input_wait: share of the steps' time spent waiting for batches.
    """
    recall = result["ground_to_satellite"]["r@1"]
    left = f"about {duration_text(seconds_left)} left"
    return (
        f"step {progress.step}: r@1 {100 * recall:.2f} % of"
        f" {result['gallery_size']}, best {100 * progress.best:.2f} %,"
        f" trained {duration_text(progress.seconds)},"
        f" {left if seconds_left else 'finished'},"
        f" input wait {100 * input_wait:.1f} %"
    )


def _drop_after(path: Path, step: int, evaluated: int) -> None:
    """Keeps the records up to a step, evaluations up to one of their own.

    A checkpoint may be of the very step that is then evaluated.
    """
    if not path.is_file():
        return
    kept = [
        r
        for r in read_metrics(path.parent)
        if r["step"] <= (evaluated if r["kind"] == "evaluation" else step)
    ]
    atomic_write(path, "".join(json.dumps(r) + "\n" for r in kept))


def _scalars(values: dict[str, Any], prefix: str):
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _scalars(value, f"{prefix}/{name}")
        elif isinstance(value, (int, float)):
            yield f"{prefix}/{name}", float(value)
