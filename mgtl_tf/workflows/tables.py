"""The paper's tables from a study: what is missing is run, all is shown."""

from __future__ import annotations

import datetime
import json
import sys
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from mgtl_tf.complexity.fresh import fresh_cost
from mgtl_tf.complexity.fresh import paper_size
from mgtl_tf.errors import UserError
from mgtl_tf.folders import write_whole
from mgtl_tf.tables.benchmark import BENCHMARKS
from mgtl_tf.tables.benchmark import Benchmark
from mgtl_tf.tables.grid import Grid
from mgtl_tf.tables.launch import Devices
from mgtl_tf.tables.launch import run_all
from mgtl_tf.tables.layout import Context
from mgtl_tf.tables.layout import controls_grid
from mgtl_tf.tables.layout import table_grid
from mgtl_tf.tables.plot import draw_rows
from mgtl_tf.tables.publish import publish
from mgtl_tf.tables.results import RowResult
from mgtl_tf.tables.results import row_result
from mgtl_tf.tables.rows import ROWS
from mgtl_tf.tables.rows import Row
from mgtl_tf.tables.rows import rows_of
from mgtl_tf.tables.runs import Run
from mgtl_tf.tables.runs import versions_of
from mgtl_tf.tables.study import Study
from mgtl_tf.tables.study import benchmark_study
from mgtl_tf.tables.study import control_rows
from mgtl_tf.tables.study import data_study
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.workflows.look import look_at_runs
from mgtl_tf.workflows.study_runs import finish
from mgtl_tf.workflows.study_runs import plan_lines
from mgtl_tf.workflows.study_runs import ready_data
from mgtl_tf.workflows.study_runs import search_settings
from mgtl_tf.workflows.study_runs import study_facts

_TIMED_STEPS = 12
CONTROLS = "Controls"
_LOOKED_AT = ("with_cmi", "without_cmi", "naive")


@dataclass(frozen=True)
class TablesJob:
    """What `experiments.tables` was asked for.

    Attributes:
        tables: numbers, 1 to 4.
        dataset: procedural, cvusa or cvact.
        size: of the procedural benchmark.
        data_dir: of a data set on disk.
        studies_dir: holds a folder for every study.
        seeds: of every row; empty: the benchmark's own, or seed 0.
        common: config fields for every row, over those of the study.
        workers: runs at once; 0: as many as fit the machine.
        search: whether settings are searched for first.
        controls: whether the benchmark's control rows are run as well.
        any_code: whether finished runs of other code are taken.
        measure_cost: whether parameters, multiply-adds, time and memory of
            the rows at the paper's size are measured for Tables 2 and 3.
    """

    tables: tuple[int, ...]
    dataset: str
    size: str
    data_dir: str
    studies_dir: Path
    seeds: tuple[int, ...] = ()
    common: Mapping[str, Any] | None = None
    workers: int = 0
    search: bool = False
    controls: bool = False
    any_code: bool = False
    measure_cost: bool = True

    @property
    def benchmark(self) -> Benchmark | None:
        """The procedural benchmark; None for a data set on disk."""
        procedural = self.dataset == "procedural"
        return BENCHMARKS[self.size] if procedural else None

    def study(self, tuning: bool = False) -> Study:
        """Where its runs lie, and their configs.

        Raises:
            UserError: without a data_dir, where one is needed.
        """
        if self.benchmark is not None:
            return benchmark_study(
                self.benchmark, self.studies_dir, self.common or {}, tuning
            )
        if not self.data_dir:
            raise UserError(
                f"--data_dir is missing: name the folder of {self.dataset}"
            )
        return data_study(
            self.dataset,
            Path(self.data_dir),
            self.studies_dir,
            self.common or {},
        )

    @property
    def chosen_seeds(self) -> tuple[int, ...]:
        """Those given, or the benchmark's."""
        own = self.benchmark.seeds if self.benchmark else (0,)
        return self.seeds or own


def plan(job: TablesJob) -> list[str]:
    """What would run, and how long: a line a run.

    The step of each row is timed by training a few of them.

    Raises:
        UserError: as `run_tables`.
    """
    study, rows = job.study(), _rows(job)
    world = job.benchmark.world if job.benchmark else None
    versions = ready_data(study, rows, world)
    devices = Devices.present(job.workers)
    measured: dict[str, float] = {}

    def seconds_a_step(run: Run) -> float:
        if run.key not in measured:
            measured[run.key] = _timed_step(run)
        return measured[run.key]

    runs = study.runs(rows, job.chosen_seeds)
    return plan_lines(runs, versions, seconds_a_step, devices, job.any_code)


def _timed_step(run: Run) -> float:
    """Seconds of a step: the median rate of a few, after the first."""
    with tempfile.TemporaryDirectory() as folder:
        short = {"max_steps": _TIMED_STEPS, "log_every": 1, "evaluate_every": 0}
        trial = Run(run.key, Path(folder) / "run", run.config.replace(**short))
        one = Devices(Devices.present().environments[:1])
        if run_all([trial], one, lambda *_: None):
            raise UserError(f"{run.name}: a few steps to time it failed")
        records = read_metrics(trial.folder)
    rates = [r["pairs_per_second"] for r in records if r["kind"] == "train"]
    return run.config.train.batch_size / float(np.median(rates[2:]))


def run_tables(job: TablesJob) -> None:
    """Searches where asked, then trains every run that is missing.

    Raises:
        UserError: for data or folders that do not fit, or failed runs.
    """
    devices, rows = Devices.present(job.workers), _rows(job)
    benchmark = job.benchmark
    if job.search:
        if benchmark is None:
            raise UserError(
                "--search: only the procedural benchmark is searched; on"
                " CVUSA and CVACT every row has its authors' settings"
            )
        tuning = job.study(tuning=True)
        versions = ready_data(tuning, rows, benchmark.tuning_world)
        listed = rows_of(job.tables)
        search_settings(
            tuning, listed, benchmark, versions, devices, job.any_code
        )
        rows = _rows(job)
    study = job.study()
    versions = ready_data(study, rows, benchmark.world if benchmark else None)
    runs = study.runs(rows, job.chosen_seeds)
    finish(runs, versions, devices, job.any_code)


def _rows(job: TablesJob) -> list[Row]:
    listed = list(rows_of(tuple(t for t in job.tables if t != 3)))
    return listed + [row for _, row in _controls(job)]


def _controls(job: TablesJob) -> list[tuple[str, Row]]:
    if not job.controls or job.benchmark is None:
        return []
    return control_rows(job.benchmark, job.study().settings)


def show_tables(job: TablesJob) -> dict[str, tuple[Grid, list[RowResult]]]:
    """The tables of the finished runs, also written to the study's folder.

    STUDY/tables/tableN.txt, .md, .csv, .svg.

    Returns:
        heading to the table and what it was made of.

    Raises:
        UserError: for a run that cannot be read.
    """
    study = job.study()
    shown = {}
    for number in job.tables:
        rows = [
            _result(job, study, row, title, number)
            for title, row in ROWS[number]
        ]
        grid = table_grid(number, rows, _context(job, rows))
        shown[f"Table {number}"] = (grid, rows)
    if controls := _controls(job):
        rows = [_result(job, study, row, title, 0) for title, row in controls]
        rows = [*_originals(job, study, controls), *rows]
        shown[CONTROLS] = (controls_grid(rows, _context(job, rows)), rows)
    folder = study.folder / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    for heading, (grid, rows) in shown.items():
        _write(folder / heading.lower().replace(" ", ""), grid, rows)
    return shown


def _originals(
    job: TablesJob, study: Study, controls: Sequence[tuple[str, Row]]
) -> list[RowResult]:
    """The rows of Table 2, that controls are held against."""
    return [_result(job, study, row, title, 0) for title, row in ROWS[2]]


def _result(
    job: TablesJob, study: Study, row: Row, title: str, number: int
) -> RowResult:
    runs = [study.run(row, seed) for seed in job.chosen_seeds]
    done = [r for r in runs if (r.folder / "report" / "report.html").is_file()]
    result = row_result(row.key, title, done if number != 3 else [])
    if number in (2, 3) and job.measure_cost:
        cost = fresh_cost(paper_size(row.changes), study.folder / "costs")
        return RowResult(
            result.key, result.title, result.config, result.seeds, cost
        )
    return result


def _context(job: TablesJob, rows: Sequence[RowResult]) -> Context:
    study, benchmark = job.study(), job.benchmark
    measured = next((row for row in rows if row.seeds), None)
    size = len(measured.seeds[0].ranks) if measured else 0
    where = {
        "cvusa": "CVUSA",
        "cvact": "CVACT_val",
        "procedural": f"{benchmark.name if benchmark else ''}, a made world",
    }
    runs = [
        study.run(row, seed)
        for row in _rows(job)
        for seed in job.chosen_seeds
        if study.run(row, seed).folder.is_dir()
    ]
    notes = []
    if len(codes := versions_of(runs)) > 1:
        notes = [f"Runs of several versions of the code: {', '.join(codes)}."]
    return Context(
        study.folder.name, where[job.dataset], job.chosen_seeds, size, notes
    )


def _write(stem: Path, grid: Grid, rows: Sequence[RowResult]) -> None:
    for suffix, text in (
        (".txt", grid.text() + "\n"),
        (".md", grid.markdown() + "\n"),
        (".csv", grid.csv()),
    ):
        write_whole(stem.with_suffix(suffix), text)
    if any(row.seeds for row in rows):
        draw_rows(rows, stem.name, stem.with_suffix(".svg"))
    logging.info("%s.txt, .md, .csv and .svg are written", stem)


def look_at_tables(job: TablesJob) -> Path:
    """Pages about what the rows w/ CMI, w/o CMI and Naive look at.

    Each finished run gets RUN/report/look/; STUDY/tables/look.html links
    them, and is returned.

    Raises:
        UserError: where no such run is finished, or one cannot be read.
    """
    study = job.study()
    folders = [
        study.run(row, seed).folder
        for row in _rows(job)
        for seed in job.chosen_seeds
        if row.key in _LOOKED_AT
    ]
    done = [f for f in folders if (f / "report" / "report.html").is_file()]
    return look_at_runs(done, study.folder / "tables")


def publish_tables(
    job: TablesJob,
    shown: Mapping[str, tuple[Grid, list[RowResult]]],
    docs: Path,
) -> Path:
    """Writes docs/results/STUDY.json, its pictures, and docs/results.md.

    Raises:
        UserError: where a file cannot be written.
    """
    study = job.study()
    settings = study.folder / "settings.json"
    found = json.loads(settings.read_text()) if settings.is_file() else {}
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": "python -m experiments.tables " + " ".join(sys.argv[1:]),
        **study_facts(study.folder),
        "seeds": ", ".join(map(str, job.chosen_seeds)),
    }
    return publish(
        study.folder.name,
        {heading: grid for heading, (grid, _) in shown.items()},
        {heading: rows for heading, (_, rows) in shown.items()},
        facts,
        docs,
        search=found,
    )
