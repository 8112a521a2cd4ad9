"""The paper's tables from a study: missing runs are trained, all are shown."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from absl import logging

from mgtl_tf.evaluation.complexity.fresh import fresh_cost, paper_size
from mgtl_tf.reproduction.code_version import code_version
from mgtl_tf.reproduction.launch import devices
from mgtl_tf.reproduction.paper import DATASETS
from mgtl_tf.reproduction.plot import draw_table
from mgtl_tf.reproduction.publish import publish, study_figures
from mgtl_tf.reproduction.results import (
    CONTROLS,
    RowResult,
    Table,
    read_ranks,
    row_result,
)
from mgtl_tf.reproduction.rows import Row, rows_of, titled_rows
from mgtl_tf.reproduction.runs import Run, versions_of
from mgtl_tf.reproduction.study import Study
from mgtl_tf.reproduction.tables import (
    as_markdown,
    as_text,
    cells_of,
    compared_with,
    differences,
)
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.workflows.distractors import (
    distractor_table,
    measure_among_distractors,
)
from mgtl_tf.workflows.study_runs import finish, ready_data, study_facts
from polar.text import csv_text


@dataclass(frozen=True)
class TablesRequest:
    """Which tables are asked for.

    Attributes:
        study: whose runs they show.
        tables: numbers, 1 to 4.
        seeds: of every row.
        controls: whether the benchmark's control rows are trained as well,
            and all rows measured among more distractors.
        any_code: whether finished runs of other code are taken.
        measure_cost: whether parameters, multiply-adds, time and memory of
            the rows at the paper's size are measured for Tables 2 and 3.
    """

    study: Study
    tables: tuple[int, ...]
    seeds: tuple[int, ...]
    controls: bool = False
    any_code: bool = False
    measure_cost: bool = True

    @property
    def control_rows(self) -> list[tuple[str, Row]]:
        """(title, row) of the controls; none unless they are asked for."""
        return self.study.control_rows() if self.controls else []

    @property
    def rows(self) -> list[Row]:
        """All that is trained."""
        controls = (row for _, row in self.control_rows)
        return [*rows_of(self.tables), *controls]

    @property
    def runs(self) -> list[Run]:
        """All runs, begun or not."""
        return self.study.runs(self.rows, self.seeds)


def run_tables(request: TablesRequest, workers: int = 0) -> None:
    """Trains every run that is missing.

    Args:
        request: which runs.
        workers: as of `devices`.

    Raises:
        UserError: for data or folders that do not fit, or failed runs.
    """
    if not request.rows:
        return
    study, environments = request.study, devices(workers)
    world = study.benchmark.world if study.benchmark else None
    versions = ready_data(study, request.rows, world)
    finish(request.runs, versions, environments, request.any_code)
    if request.controls:
        trained = rows_of(request.tables)
        measure_among_distractors(study, trained, request.seeds, environments)


def show_tables(request: TablesRequest) -> tuple[Table, ...]:
    """The tables of the finished runs, also written to the study's folder.

    STUDY/tables/tableN.txt, .md, .csv, .svg.

    Raises:
        UserError: for a run that cannot be read.
    """
    study = request.study
    shown = [
        _measured(request, number, titled_rows(number, study.preset))
        for number in request.tables
    ]
    if controls := request.control_rows:
        rows = [*titled_rows(2, study.preset), *controls]
        shown.append(_measured(request, CONTROLS, rows))
        titled = _all_titled(request)
        if table := distractor_table(study, titled, request.seeds):
            shown.append(table)
    folder = study.folder / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    for table in shown:
        _write(folder / table.file_name, table)
    return tuple(shown)


def _all_titled(request: TablesRequest) -> list[tuple[str, Row]]:
    """The trained rows; one of several tables has its title of Table 2."""
    preset = request.study.preset
    titles = {
        row.key: title
        for number in (1, 4, 2)
        for title, row in titled_rows(number, preset)
    }
    return [(titles[row.key], row) for row in rows_of(request.tables)]


def _measured(
    request: TablesRequest, number: int, titled: Sequence[tuple[str, Row]]
) -> Table:
    study, ranks, rows = request.study, {}, []
    for title, row in titled:
        runs = [study.run(row, seed) for seed in request.seeds]
        done = [run for run in runs if run.is_trained and number != 3]
        ranks[row.key] = [read_ranks(run) for run in done]
        rows.append(_with_cost(request, number, row, title, done))
    compared = differences(compared_with(number, rows), ranks)
    rows = [
        dataclasses.replace(row, difference=compared.get(row.key))
        for row in rows
    ]
    return Table(
        number,
        tuple(rows),
        f"{study.folder.name}, a synthetic world"
        if study.benchmark
        else DATASETS[study.preset],
        study.benchmark is not None,
        request.seeds,
        _version_note(request),
    )


def _with_cost(
    request: TablesRequest, number: int, row: Row, title: str, done: list[Run]
) -> RowResult:
    result = row_result(row.key, title, done)
    if number not in (2, 3) or not request.measure_cost:
        return result
    folder = request.study.folder / "costs"
    cost = fresh_cost(paper_size(row.changes), folder)
    return dataclasses.replace(result, complexity=cost)


def _version_note(request: TablesRequest) -> tuple[str, ...]:
    codes = versions_of(request.runs)
    if len(codes) < 2:
        return ()
    return (f"Runs of several versions of the code: {', '.join(codes)}.",)


def _write(stem: Path, table: Table) -> None:
    cells = cells_of(table)
    values = [list(row.values()) for row in cells]
    for suffix, text in (
        (".txt", as_text(table) + "\n"),
        (".md", as_markdown(table) + "\n"),
        (".csv", csv_text([list(cells[0]), *values])),
    ):
        atomic_write(stem.with_suffix(suffix), text)
    if table.has_recall:
        draw_table(table, stem.name, stem.with_suffix(".svg"))
    logging.info("%s.txt, .md, .csv and .svg are written", stem)


def publish_tables(
    request: TablesRequest, shown: tuple[Table, ...], docs: Path, command: str
) -> Path:
    """Writes docs/results/STUDY.json, its pictures, and docs/results.md.

    Args:
        request: what was asked for.
        shown: of `show_tables`.
        docs: the folder that holds results.md.
        command: that makes the same figures anywhere.

    Raises:
        UserError: where a file cannot be written.
    """
    folder = request.study.folder
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": f"`{command}`",
        **study_facts(folder),
        "seeds": ", ".join(map(str, request.seeds)),
        "code": ", ".join(versions_of(request.runs)) or code_version(),
    }
    return publish(study_figures(folder.name, facts, shown), docs)
