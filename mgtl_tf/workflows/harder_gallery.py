"""Finished runs of a study measured again, among more places.

What two systems differ by in a small gallery may vanish in a larger one, or
show only there. Nothing is trained; each figure is kept in its run folder.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from absl import logging

from mgtl_tf.reproduction.launch import (
    Devices,
    require_all,
    run_all,
    start_logged,
)
from mgtl_tf.reproduction.measured import HARDER, MeasuredTable
from mgtl_tf.reproduction.results import Gallery, RowResult, row_result
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.reproduction.study import Study
from mgtl_tf.utils.json_files import read_json
from mgtl_tf.workflows.study_runs import ready_data
from mgtl_tf.workflows.tables_job import TablesJob

_NAME = "harder"


def measure_harder(job: TablesJob, devices: Devices) -> None:
    """Measures each finished run on the benchmark's harder gallery.

    Raises:
        UserError: for a world that cannot be made, or runs that cannot be
            measured; the others are measured first.
    """
    if job.benchmark is None or not job.trained:
        return
    study = _there(job.study())
    missing = [
        dataclasses.replace(run, folder=study.folder / _NAME / run.name)
        for run in study.runs(job.trained, job.chosen_seeds)
        if run.is_trained and not _figures(run.folder).is_file()
    ]
    if missing:
        ready_data(study, job.trained, job.benchmark.harder_world)
    logging.info("harder gallery: %d runs to measure", len(missing))
    require_all(run_all(missing, devices, _tell, _start))


def harder_table(job: TablesJob) -> MeasuredTable | None:
    """The table of what was measured; None where nothing was.

    Raises:
        UserError: for a file that cannot be read.
    """
    study = job.study()
    rows = []
    for row in job.trained:
        runs = [study.run(row, seed) for seed in job.chosen_seeds]
        done = [run for run in runs if _figures(run.folder).is_file()]
        found = [_read(_figures(run.folder)) for run in done]
        plain = row_result(row.key, job.title(row), done)
        rows.append(_among_more(plain, found))
    if not any(row.seeds for row in rows):
        return None
    where = f"{study.folder.name}, the same runs, another synthetic world"
    return MeasuredTable(HARDER, rows, where, seeds=job.chosen_seeds)


def _there(study: Study) -> Study:
    """The same study and run folders, with the pairs of the harder world."""
    return dataclasses.replace(
        study,
        data_dir=study.folder / "worlds" / _NAME,
        prepared=study.folder / "prepared" / _NAME,
    )


def _figures(run_dir: Path) -> Path:
    """What experiments.evaluate writes of a folder of this name."""
    return run_dir / f"evaluation-procedural-validation-{_NAME}.json"


@dataclass(frozen=True)
class _Evaluation:
    """What is taken of what experiments.evaluate writes."""

    gallery_size: int
    ground_to_satellite: dict[str, Any]


def _read(path: Path) -> dict[str, Any]:
    remedy = "remove it and give the same command again"
    found = read_json(path, _Evaluation, remedy)
    return {**found.ground_to_satellite, "gallery_size": found.gallery_size}


def _among_more(row: RowResult, found: list[dict[str, Any]]) -> RowResult:
    """The row, with the recalls of the harder gallery and no ranks."""
    seeds = [
        dataclasses.replace(
            seed,
            gallery=Gallery(f"worlds/{_NAME}", figures["gallery_size"]),
            recalls={name: figures[name] for name in seed.recalls},
            ranks=seed.ranks[:0],
        )
        for seed, figures in zip(row.seeds, found, strict=True)
    ]
    return dataclasses.replace(row, seeds=tuple(seeds))


def _start(run: Run, environment: Mapping[str, str]) -> subprocess.Popen:
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


def _tell(run: Run, status: int, seconds: float) -> None:
    how = "could not be measured" if status else "is measured"
    logging.info("%s %s, in %.0f s", run.name, how, seconds)
