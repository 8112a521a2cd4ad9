"""What a run says: metrics.jsonl, TensorBoard, one line an evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorflow as tf
from absl import logging

from mgtl_tf.folders import write_whole


class MetricsLog:
    """Appends records to `metrics.jsonl` and the same to TensorBoard.

    Lines after the step that a run resumes from belong to steps that are
    trained again; they are dropped, so that no step appears twice.

    Args:
        run_dir: the run folder.
        step: the step from which the run goes on.
    """

    def __init__(self, run_dir: Path | str, step: int = 0):
        self._path = Path(run_dir) / "metrics.jsonl"
        _drop_after(self._path, step)
        self._board = tf.summary.create_file_writer(
            str(Path(run_dir) / "tensorboard")
        )

    def write(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """One record; nested numbers become TensorBoard scalars `a/b`."""
        record = {"kind": kind, "step": step, **values}
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        with self._board.as_default(step=step):
            for name, value in _scalars(values, kind):
                tf.summary.scalar(name, value)
        self._board.flush()

    def close(self) -> None:
        """Closes the TensorBoard file."""
        self._board.close()


class SilentLog:
    """The log of a worker that is not the chief: nothing is written."""

    def write(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """Does nothing; the chief writes the same."""

    def close(self) -> None:
        """Does nothing."""


def read_metrics(run_dir: Path | str) -> list[dict[str, Any]]:
    """The records of a run, in order; an unfinished last line is left out."""
    path = Path(run_dir) / "metrics.jsonl"
    records = []
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            logging.warning("%s: an unfinished line was left out", path)
    return records


def _drop_after(path: Path, step: int) -> None:
    if not path.is_file():
        return
    kept = [r for r in read_metrics(path.parent) if r["step"] <= step]
    write_whole(path, "".join(json.dumps(r) + "\n" for r in kept))


def _scalars(values: dict[str, Any], prefix: str):
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _scalars(value, f"{prefix}/{name}")
        elif isinstance(value, (int, float)):
            yield f"{prefix}/{name}", float(value)
