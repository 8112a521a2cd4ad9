"""Finished runs of a study measured again, among more distractors.

A difference between two systems in a small gallery may vanish in a larger
one, or show only there. Nothing is trained; each figure is kept in its run
folder.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgtl_tf.reproduction.launch import Environment, Job, run_all
from mgtl_tf.reproduction.results import (
    DISTRACTORS,
    RowResult,
    RunResult,
    Table,
    run_result,
)
from mgtl_tf.reproduction.rows import Row
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.reproduction.study import Study
from mgtl_tf.utils.json_files import read_json
from mgtl_tf.workflows.study_runs import ready_data

_WORLD = "distractors"


def measure_among_distractors(
    study: Study,
    rows: Sequence[Row],
    seeds: Sequence[int],
    environments: Sequence[Environment],
) -> None:
    """Measures each finished run on the benchmark's larger gallery.

    Args:
        study: whose runs; one without a benchmark has no other gallery.
        rows, seeds: of the runs.
        environments: of `devices`.

    Raises:
        UserError: for a world that cannot be made, or runs that cannot be
            measured; the others are measured first.
    """
    other = study.on_world(_WORLD)
    missing = [
        run
        for run in other.runs(rows, seeds)
        if run.is_trained and not _evaluation(run).is_file()
    ]
    if study.benchmark is not None and missing:
        ready_data(other, rows, study.benchmark.distractor_world)
        logs = study.folder / _WORLD
        run_all([_evaluation_job(run, logs) for run in missing], environments)


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
        runs = study.runs([row], seeds)
        done = [_measured(run) for run in runs if _evaluation(run).is_file()]
        rows.append(RowResult(row.key, title, tuple(done)))
    if not any(row.runs for row in rows):
        return None
    where = f"{study.folder.name}, the same runs, another synthetic world"
    return Table(DISTRACTORS, tuple(rows), where, seeds=tuple(seeds))


@dataclass(frozen=True)
class _Evaluation:
    """What is read of experiments.evaluate's file."""

    gallery_size: int
    ground_to_satellite: dict[str, Any]


def _evaluation(run: Run) -> Path:
    """What experiments.evaluate writes of a folder of this name."""
    return run.folder / f"evaluation-procedural-validation-{_WORLD}.json"


def _measured(run: Run) -> RunResult:
    remedy = "remove it and give the same command again"
    found = read_json(_evaluation(run), _Evaluation, remedy)
    own = run_result(run)
    recalls = {name: found.ground_to_satellite[name] for name in own.recalls}
    return dataclasses.replace(own, places=found.gallery_size, recalls=recalls)


def _evaluation_job(run: Run, logs: Path) -> Job:
    """experiments.evaluate of a trained run, on the other world."""
    flags = {
        "run_dir": run.folder,
        "data_dir": run.config.data.data_dir,
        "data_cache": run.config.data.data_cache,
        "checkpoint": "last",
    }
    given = [f"--{name}={value}" for name, value in flags.items()]
    command = [sys.executable, "-m", "experiments.evaluate", *given]
    return Job(run.name, command, logs / f"{run.name}.log")
