"""The paper's tables from a study: missing runs are trained, all are shown."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from absl import logging

from mgtl_tf.config import ModelConfig
from mgtl_tf.reproduction.code_version import code_version
from mgtl_tf.reproduction.comparison import paired_difference
from mgtl_tf.reproduction.launch import devices
from mgtl_tf.reproduction.paper import DATASETS
from mgtl_tf.reproduction.publish import publish, study_figures
from mgtl_tf.reproduction.results import (
    CONTROLS,
    RowResult,
    Table,
    read_ranks,
    row_result,
)
from mgtl_tf.reproduction.rows import Row, rows_of, titled_rows
from mgtl_tf.reproduction.runs import Run, code_versions
from mgtl_tf.reproduction.study import Study
from mgtl_tf.reproduction.tables import (
    as_markdown,
    cells_of,
    compared_with,
    draw_table,
)
from mgtl_tf.training.environment import read_environment
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.workflows.distractors import (
    distractor_table,
    measure_among_distractors,
)
from mgtl_tf.workflows.study_runs import finish, ready_data
from polar.text import csv_text

Titled = Sequence[tuple[str, Row]]


@dataclass(frozen=True)
class TablesRequest:
    """Which tables are asked for.

    Attributes:
        study: whose runs they show.
        tables: numbers, 1 to 4.
        seeds: of every row.
        controls: whether the benchmark's control rows are trained as well,
            and all rows measured among more distractors.
        any_code: whether finished runs of other code are accepted.
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

    STUDY/tables/tableN.md, .csv, .svg.

    Raises:
        UserError: for a run that cannot be read.
    """
    study = request.study
    titled = {n: titled_rows(n, study.preset) for n in (1, 2, 3, 4)}
    shown = [_table(request, n, titled[n]) for n in request.tables]
    if controls := request.control_rows:
        shown.append(_table(request, CONTROLS, [*titled[2], *controls]))
        # A row of several tables has its title of Table 2.
        titles = {row.key: t for n in (1, 4, 2) for t, row in titled[n]}
        trained = [(titles[row.key], row) for row in rows_of(request.tables)]
        if table := distractor_table(study, trained, request.seeds):
            shown.append(table)
    folder = study.folder / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    for table in shown:
        _write(folder / table.file_name, table)
    return tuple(shown)


def _table(request: TablesRequest, number: int, titled: Titled) -> Table:
    study = request.study
    done = {
        row.key: [
            run
            for run in study.runs([row], request.seeds)
            if run.is_trained and number != 3
        ]
        for _, row in titled
    }
    rows = [row_result(row.key, title, done[row.key]) for title, row in titled]
    if number in (2, 3) and request.measure_cost:
        rows = [
            _with_cost(result, row, study.folder / "costs")
            for result, (_, row) in zip(rows, titled, strict=True)
        ]
    ranks = {
        key: [read_ranks(run) for run in runs] for key, runs in done.items()
    }
    differences = {
        key: paired_difference(ranks[key], ranks[other])
        for key, other in compared_with(number, rows).items()
    }
    codes = code_versions(request.runs)
    several = f"Runs of several versions of the code: {', '.join(codes)}."
    return Table(
        number,
        tuple(
            dataclasses.replace(row, difference=differences.get(row.key))
            for row in rows
        ),
        f"{study.folder.name}, a synthetic world"
        if study.benchmark
        else DATASETS[study.preset],
        study.benchmark is not None,
        request.seeds,
        (several,) if len(codes) > 1 else (),
    )


def _with_cost(result: RowResult, row: Row, folder: Path) -> RowResult:
    # TensorFlow is loaded only where a cost is measured.
    from mgtl_tf.evaluation.complexity import stored_cost

    # Of the published size, whatever size was trained.
    cost = stored_cost(ModelConfig(**row.changes), folder)
    return dataclasses.replace(result, complexity=cost)


def _write(stem: Path, table: Table) -> None:
    cells = cells_of(table)
    rows = [list(cells[0]), *(list(row.values()) for row in cells)]
    atomic_write(stem.with_suffix(".md"), as_markdown(table) + "\n")
    atomic_write(stem.with_suffix(".csv"), csv_text(rows))
    if table.has_recall:
        draw_table(table, stem.name, stem.with_suffix(".svg"))
    logging.info("%s.md, .csv and .svg are written", stem)


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
        **_machine(folder),
        "seeds": ", ".join(map(str, request.seeds)),
        "code": ", ".join(code_versions(request.runs)) or code_version(),
    }
    return publish(study_figures(folder.name, facts, shown), docs)


def _machine(folder: Path) -> dict[str, str]:
    """Machine and versions of a study's first run."""
    paths = sorted((folder / "runs").glob("*/environment.json"))
    if not paths:
        return {}
    found = read_environment(paths[0].parent)
    processor = f"{found['cores']} cores of {found['processor']}"
    return {
        "machine": ", ".join(found["gpus"]) or processor,
        "versions": f"TensorFlow {found['tensorflow']}, Keras {found['keras']}",
    }
