"""Finished runs of a study measured again, among more distractors.

A difference between two systems in a small gallery may vanish in a larger
one, or show only there. Nothing is trained; each figure is kept in its run
folder.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from absl import logging

from mgtl_tf.reproduction.launch import (
    Environment,
    require_all,
    run_all,
    start_logged,
)
from mgtl_tf.reproduction.results import (
    DISTRACTORS,
    Gallery,
    RowResult,
    Table,
    row_result,
)
from mgtl_tf.reproduction.rows import Row
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.reproduction.study import Study
from mgtl_tf.utils.json_files import read_json
from mgtl_tf.workflows.study_runs import progress_log, ready_data

_NAME = "distractors"


def measure_among_distractors(
    study: Study,
    rows: Sequence[Row],
    seeds: Sequence[int],
    environments: Sequence[Environment],
) -> None:
    """Measures each finished run on the benchmark's larger gallery.

    Args:
        study: of a procedural benchmark.
        rows, seeds: of the runs.
        environments: of `devices`.

    Raises:
        UserError: for a world that cannot be made, or runs that cannot be
            measured; the others are measured first.
    """
    if study.benchmark is None or not rows:
        return
    there = _on_distractors(study)
    missing = [
        dataclasses.replace(run, folder=there.folder / _NAME / run.name)
        for run in there.runs(rows, seeds)
        if run.is_trained and not _evaluation(run.folder).is_file()
    ]
    if missing:
        ready_data(there, rows, study.benchmark.distractor_world)
    logging.info("distractors: %d runs to measure", len(missing))
    done = progress_log(len(missing))
    require_all(run_all(missing, environments, done, _start))


def distractor_table(
    study: Study, titled: Sequence[tuple[str, Row]], seeds: Sequence[int]
) -> Table | None:
    """The table of what was measured; None where nothing was.

    Args:
        study: of a procedural benchmark.
        titled: titles and rows, in the order of the table.
        seeds: of the runs.

    Raises:
        UserError: for a file that cannot be read.
    """
    rows = []
    for title, row in titled:
        runs = [study.run(row, seed) for seed in seeds]
        done = [run for run in runs if _evaluation(run.folder).is_file()]
        found = [_read(_evaluation(run.folder)) for run in done]
        rows.append(_remeasured(row_result(row.key, title, done), found))
    if not any(row.runs for row in rows):
        return None
    where = f"{study.folder.name}, the same runs, another synthetic world"
    return Table(DISTRACTORS, tuple(rows), where, seeds=tuple(seeds))


def _on_distractors(study: Study) -> Study:
    """The same study and run folders, with the pairs of the other world."""
    return dataclasses.replace(
        study,
        data_dir=study.folder / "worlds" / _NAME,
        prepared=study.folder / "prepared" / _NAME,
    )


def _evaluation(run_dir: Path) -> Path:
    """What experiments.evaluate writes of a folder of this name."""
    return run_dir / f"evaluation-procedural-validation-{_NAME}.json"


@dataclass(frozen=True)
class _Evaluation:
    """What is read of experiments.evaluate's file."""

    gallery_size: int
    ground_to_satellite: dict[str, Any]


def _read(path: Path) -> _Evaluation:
    return read_json(
        path, _Evaluation, "remove it and give the same command again"
    )


def _remeasured(row: RowResult, found: Sequence[_Evaluation]) -> RowResult:
    """The row, with the recalls of the larger gallery."""
    runs = tuple(
        dataclasses.replace(
            run,
            gallery=Gallery(f"worlds/{_NAME}", evaluation.gallery_size),
            recalls={
                name: evaluation.ground_to_satellite[name]
                for name in run.recalls
            },
        )
        for run, evaluation in zip(row.runs, found, strict=True)
    )
    return dataclasses.replace(row, runs=runs)


def _start(run: Run, environment: Environment) -> subprocess.Popen:
    """Starts experiments.evaluate on the run that was trained."""
    study = run.folder.parents[1]
    flags = {
        "run_dir": study / "runs" / run.name,
        "data_dir": run.config.data.data_dir,
        "data_cache": run.config.data.data_cache,
        "checkpoint": "last",
    }
    given = [f"--{name}={value}" for name, value in flags.items()]
    command = [sys.executable, "-m", "experiments.evaluate", *given]
    return start_logged(command, run.log, environment)
