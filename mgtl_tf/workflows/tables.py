"""The paper's tables from a study: what is missing is run, all is shown."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from mgtl_tf.evaluation.complexity.fresh import fresh_cost, paper_size
from mgtl_tf.reproduction.code_version import code_version
from mgtl_tf.reproduction.launch import Devices
from mgtl_tf.reproduction.layout import table_grid
from mgtl_tf.reproduction.measured import (
    CONTROLS,
    MeasuredTable,
    differences_of,
)
from mgtl_tf.reproduction.minutes import measured_budget, write_budget
from mgtl_tf.reproduction.plot import draw_rows
from mgtl_tf.reproduction.publish import publish
from mgtl_tf.reproduction.results import RowResult, row_result
from mgtl_tf.reproduction.rows import ROWS, Row
from mgtl_tf.reproduction.runs import Run, versions_of
from mgtl_tf.reproduction.step_time import seconds_a_step
from mgtl_tf.reproduction.study import Study, read_search
from mgtl_tf.reproduction.study_json import StudyFigures
from mgtl_tf.utils.atomic_io import write_whole
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.harder_gallery import harder_table, measure_harder
from mgtl_tf.workflows.look import look_at_runs
from mgtl_tf.workflows.study_runs import finish, ready_data, study_facts
from mgtl_tf.workflows.study_search import search_settings
from mgtl_tf.workflows.tables_job import TablesJob

_LOOKED_AT = ("with_cmi", "without_cmi", "naive")


def run_tables(job: TablesJob) -> None:
    """Searches where asked, then trains every run that is missing.

    Raises:
        UserError: for data or folders that do not fit, or failed runs.
    """
    devices, benchmark = Devices.present(job.workers), job.benchmark
    if job.search:
        _search(job, devices)
    # Controls inherit what the search chose.
    if not (rows := job.rows):
        return
    if job.minutes:
        _settle_minutes(job, rows, devices)
    study = job.study()
    versions = ready_data(study, rows, benchmark.world if benchmark else None)
    runs = study.runs(rows, job.chosen_seeds)
    finish(runs, versions, devices, job.any_code)
    if job.controls:
        measure_harder(job, devices)


def _settle_minutes(
    job: TablesJob, rows: Sequence[Row], devices: Devices
) -> None:
    study, place = job.study(), devices.environments[0]
    steps = measured_budget(
        study, rows, job.minutes, lambda run: seconds_a_step(run, place)
    )
    write_budget(study.folder, job.minutes, steps)


def _search(job: TablesJob, devices: Devices) -> None:
    benchmark, rows = job.benchmark, job.trained
    if benchmark is None:
        raise UserError(
            "--search: only the procedural benchmark is searched; on CVUSA and"
            " CVACT every row has its authors' settings"
        )
    if not rows:
        return
    tuning = job.study(tuning=True)
    versions = ready_data(tuning, rows, benchmark.tuning_world)
    search_settings(tuning, rows, benchmark, versions, devices, job.any_code)


def show_tables(job: TablesJob) -> list[MeasuredTable]:
    """The tables of the finished runs, also written to the study's folder.

    STUDY/tables/tableN.txt, .md, .csv, .svg.

    Raises:
        UserError: for a run that cannot be read.
    """
    study = job.study()
    shown = []
    for number in job.tables:
        rows = [
            _result(job, study, row, title, number)
            for title, row in job.titled(number)
        ]
        shown.append(_measured(job, number, rows))
    if controls := job.controls_listed:
        rows = [_result(job, study, row, title, 0) for title, row in controls]
        rows = [*_originals(job, study), *rows]
        shown.append(_measured(job, CONTROLS, rows))
    if job.controls and (harder := harder_table(job)):
        shown.append(harder)
    folder = study.folder / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    for table in shown:
        _write(folder / table.file_name, table)
    return shown


def _originals(job: TablesJob, study: Study) -> list[RowResult]:
    """The rows of Table 2, that controls are held against."""
    return [_result(job, study, row, title, 0) for title, row in ROWS[2]]


def _result(
    job: TablesJob, study: Study, row: Row, title: str, number: int
) -> RowResult:
    runs = [study.run(row, seed) for seed in job.chosen_seeds]
    done = [run for run in runs if run.is_trained]
    result = row_result(row.key, title, done if number != 3 else [])
    if number in (2, 3) and job.measure_cost:
        cost = fresh_cost(paper_size(row.changes), study.folder / "costs")
        return dataclasses.replace(result, complexity=cost)
    return result


def _measured(
    job: TablesJob, number: int, rows: Sequence[RowResult]
) -> MeasuredTable:
    study, benchmark = job.study(), job.benchmark
    where = {"cvusa": "CVUSA", "cvact": "CVACT_val"}
    notes = []
    if len(codes := versions_of(_runs_there(job, study))) > 1:
        notes = [f"Runs of several versions of the code: {', '.join(codes)}."]
    return MeasuredTable(
        number,
        rows,
        f"{benchmark.name}, a synthetic world"
        if benchmark
        else where[job.dataset],
        benchmark is not None,
        job.chosen_seeds,
        differences_of(number, rows),
        notes,
    )


def _runs_there(job: TablesJob, study: Study) -> list[Run]:
    runs = study.runs(job.rows, job.chosen_seeds)
    return [run for run in runs if run.folder.is_dir()]


def _write(stem: Path, table: MeasuredTable) -> None:
    grid = table_grid(table)
    for suffix, text in (
        (".txt", grid.text() + "\n"),
        (".md", grid.markdown() + "\n"),
        (".csv", grid.csv()),
    ):
        write_whole(stem.with_suffix(suffix), text)
    if table.has_recall:
        draw_rows(table.rows, stem.name, stem.with_suffix(".svg"))
    logging.info("%s.txt, .md, .csv and .svg are written", stem)


def look_at_tables(job: TablesJob) -> Path:
    """Pages about what the rows w/ CMI, w/o CMI and Naive look at.

    Each finished run gets RUN/report/look/; STUDY/tables/look.html links
    them, and is returned.

    Raises:
        UserError: where no such run is finished, or one cannot be read.
    """
    study = job.study()
    runs = [
        study.run(row, seed)
        for row in job.rows
        for seed in job.chosen_seeds
        if row.key in _LOOKED_AT
    ]
    done = [run.folder for run in runs if run.is_trained]
    return look_at_runs(done, study.folder / "tables")


def publish_tables(
    job: TablesJob, shown: Sequence[MeasuredTable], docs: Path
) -> Path:
    """Writes docs/results/STUDY.json, its pictures, and docs/results.md.

    Raises:
        UserError: where a file cannot be written.
    """
    study = job.study()
    runs = _runs_there(job, study)
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": f"`{job.command()}`",
        **study_facts(study.folder),
        "seeds": ", ".join(map(str, job.chosen_seeds)),
        "code": ", ".join(versions_of(runs)) or code_version(),
    }
    search = read_search(study.folder)
    return publish(StudyFigures(study.folder.name, shown, facts, search), docs)
