"""metrics.jsonl and TensorBoard."""

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

from mgtl_tf.utils.atomic_io import atomic_write, unwritable
from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.plain_files import UnfitFileError, damaged, read_bytes
from mgtl_tf.utils.plain_path import as_os_errors, plain_path

# Of metrics.jsonl; a line has under a kilobyte.
_LARGEST = 2**30


class MetricsLog:
    """Appends records to `metrics.jsonl` and the same to TensorBoard.

    Lines after the step that a run resumes from are dropped: those steps are
    trained again.

    Args:
        run_dir: the run folder.
        step: from which the run resumes.
        evaluated: the last step whose evaluation stays; default `step`. A
            checkpoint may be of the very step that is then evaluated.
        writes: False for a worker that is not the chief: nothing is written.

    Raises:
        UserError: where either cannot be written.
    """

    def __init__(
        self,
        run_dir: Path | str,
        step: int = 0,
        evaluated: int | None = None,
        writes: bool = True,
    ):
        self._path = Path(run_dir) / "metrics.jsonl"
        self._board_dir = Path(run_dir) / "tensorboard"
        self._writes = writes
        # TensorFlow does not write to a folder of any name.
        self._links = ExitStack()
        if writes:
            last = {"evaluation": step if evaluated is None else evaluated}
            _keep(self._path, lambda r: r["step"] <= last.get(r["kind"], step))
            with self._writing_board():
                self._board_dir.mkdir(exist_ok=True)
                folder = self._links.enter_context(plain_path(self._board_dir))
                self._board = tf.summary.create_file_writer(str(folder))

    def write(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """One record; nested numbers become TensorBoard scalars `a/b`.

        Raises:
            UserError: where it cannot be written.
        """
        if not self._writes:
            return
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

    def write_pictures(
        self, name: str, step: int, pictures: np.ndarray
    ) -> None:
        """Pictures RGB uint8 [N, H, W, 3], to TensorBoard alone."""
        if self._writes:
            with self._writing_board(), self._board.as_default(step=step):
                tf.summary.image(name, pictures, max_outputs=len(pictures))
                self._board.flush()

    def close(self) -> None:
        """Closes the TensorBoard file."""
        if self._writes:
            with self._writing_board(), self._links:
                self._board.close()

    @contextmanager
    def _writing_board(self) -> Iterator[None]:
        try:
            with as_os_errors():
                yield
        except OSError as error:
            raise unwritable(self._board_dir, error) from error


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
            records.append(parse_json(line, dict[str, Any], finite=False))
        except UnfitFileError:
            logging.warning("%s: an unfinished line was left out", path)
    return records


def _keep(path: Path, is_kept) -> None:
    if path.is_file():
        kept = filter(is_kept, read_metrics(path.parent))
        atomic_write(path, "".join(json.dumps(r) + "\n" for r in kept))


def _scalars(values: dict[str, Any], prefix: str):
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _scalars(value, f"{prefix}/{name}")
        elif isinstance(value, (int, float)):
            yield f"{prefix}/{name}", float(value)
