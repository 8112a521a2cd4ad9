"""The paper's tables from a study: missing runs are trained, all are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from absl import logging

from mgtl_tf.config import ModelConfig
from mgtl_tf.evaluation.joint_pairs import JointPairs
from mgtl_tf.reproduction.cells import cells_of
from mgtl_tf.reproduction.launch import Environment, devices
from mgtl_tf.reproduction.recomputing import recomputed
from mgtl_tf.reproduction.results import (
    CONTROLS,
    SEARCH,
    WARM,
    RowResult,
    RunResult,
    Table,
    run_ranks,
    run_result,
)
from mgtl_tf.reproduction.rows import ROWS, TODAY, Row
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.reproduction.study import Study
from mgtl_tf.reproduction.tables import as_markdown, draw_table
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.workflows.conditions import (
    condition_table,
    measure_under_conditions,
)
from mgtl_tf.workflows.further_runs import (
    further_ranks,
    measure_on_further,
    with_further,
)
from mgtl_tf.workflows.study_runs import (
    RunsOfWorld,
    data_remarks,
    finish,
    plan,
    ready_data,
)
from mgtl_tf.workflows.tables_publication import (
    ranks_of,
    searched_ranks,
    study_ranks,
)
from mgtl_tf.workflows.tables_request import TablesRequest
from polar.text import csv_text


def run_tables(request: TablesRequest, workers: int = 0) -> None:
    """Trains every run that is missing, as many at once as `devices` says.

    Raises:
        UserError: for data or folders that do not fit, or failed runs.
    """
    if not request.rows:
        return
    joint = request.joint  # Read before anything is trained.
    study, environments = request.study, devices(workers)
    if request.train:
        _train(request, environments)
    if request.conditions:
        rows = request.table_rows
        measure_under_conditions(study, rows, request.seeds, environments)
    if joint:
        measure_on_further(
            study,
            request.runs,
            request.also,
            joint,
            environments,
            {
                "vigor_labels": request.vigor_labels,
                "vigor_protocol": request.vigor_protocol,
            },
        )


def _train(request: TablesRequest, environments: Sequence[Environment]) -> None:
    """Trains what the search and the tables need; their worlds are made."""
    for place, runs, world in _groups(request):
        if runs:
            versions = ready_data(place, runs, world)
            finish(runs, versions, environments, request.any_code)


def _groups(request: TablesRequest) -> list[RunsOfWorld]:
    """What is trained, in its order: the search on its world comes first."""
    study, benchmark = request.study, request.study.benchmark
    world = benchmark.world if benchmark else None
    groups = [RunsOfWorld(study, request.needed, world)]
    if benchmark and benchmark.search:
        place, searched = study.on_world("search"), request.needed_search
        groups.insert(0, RunsOfWorld(place, searched, benchmark.search.world))
    return groups


def plan_tables(request: TablesRequest) -> list[str]:
    """What `run_tables` would train, as of `plan`; nothing is written."""
    return plan(_groups(request), request.any_code)


def show_tables(request: TablesRequest) -> tuple[Table, ...]:
    """The tables of the finished runs, also written to the study's folder.

    STUDY/tables/tableN.md, .csv, .svg. Published tables that were not asked
    for come last.

    Raises:
        UserError: for a run that cannot be read.
    """
    study, joint = request.study, request.joint
    if request.rows:
        remarks = data_remarks(study)
        request = replace(request, remarks=remarks)
    titled = {n: request.titled(n) for n in ROWS}
    shown = [_table(request, joint, n, titled[n]) for n in request.tables]
    if warm := request.warm_rows:
        shown.append(_table(request, joint, WARM, warm))
    if request.searched:
        shown.append(_search_table(request))
    if controls := request.control_rows:
        rows = [*titled[2], *controls]
        shown.append(_table(request, joint, CONTROLS, rows))
    # A row of several tables has its title of Table 2.
    titles = {row.key: t for n in (TODAY, 1, 4, 2) for t, row in titled[n]}
    trained = [(titles[row.key], row) for row in request.table_rows]
    for condition in study.conditions if request.conditions else ():
        table = condition_table(study, condition, trained, request.seeds)
        if table:
            shown.append(table)
    folder = study.folder / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    tables = request.published.extended(tuple(shown), study_ranks(request))
    for table in tables:
        _write(folder / table.file_name, table)
    return tables


def _table(
    request: TablesRequest,
    joint: JointPairs | None,
    number: int,
    titled: Sequence[tuple[str, Row]],
) -> Table:
    study = request.study
    rows: list[RowResult] = []
    ranks: dict[str, np.ndarray] = {}
    for title, row in titled:
        runs = study.runs([row], request.seeds) if number != 3 else []
        done = [run for run in runs if run.is_trained]
        ranks |= ranks_of(study, row, done, joint)
        results = tuple(_result(run, joint) for run in done)
        rows.append(RowResult(row.key, title, results))
        if request.measure_cost and (
            costed := _costed(study, number, row, done)
        ):
            rows[-1] = _with_cost(rows[-1], costed, study.folder / "costs")
    table = Table(
        number,
        tuple(rows),
        study.measured_on,
        study.benchmark is not None,
        request.seeds,
        request.remarks,
        areas=study.preset == "vigor",
    )
    return recomputed(table, ranks)


def _search_table(request: TablesRequest) -> Table:
    """Every row at every learning rate, on the search's own world."""
    rows = []
    for title, run in request.searched:
        done = (run_result(run, run_ranks(run)),) if run.is_trained else ()
        rows.append(RowResult(run.name, title, done))
    name = f"{request.study.folder.name}, the world of its search"
    table = Table(SEARCH, tuple(rows), name, seeds=(0,))
    return recomputed(table, searched_ranks(request))


def _result(run: Run, joint: JointPairs | None) -> RunResult:
    result = run_result(run, run_ranks(run))
    if joint is None:
        return result
    return with_further(result, further_ranks(run, joint), joint)


def _costed(
    study: Study, number: int, row: Row, done: Sequence[Run]
) -> ModelConfig | None:
    """The network whose cost a row of a table shows, if any."""
    if number in (2, 3):
        return ModelConfig(**row.changes)  # of the paper's size
    trained = number in (1, TODAY) and done
    return study.config(row, 0).model if trained else None


def _with_cost(
    result: RowResult, model: ModelConfig, folder: Path
) -> RowResult:
    # TensorFlow is loaded only where a cost is measured.
    from mgtl_tf.evaluation.complexity import stored_cost

    return replace(result, complexity=stored_cost(model, folder))


def _write(stem: Path, table: Table) -> None:
    cells = cells_of(table)
    rows = [list(cells[0]), *(list(row.values()) for row in cells)]
    atomic_write(stem.with_suffix(".md"), as_markdown(table) + "\n")
    atomic_write(stem.with_suffix(".csv"), csv_text(rows))
    if table.has_recall:
        draw_table(table, stem.name, stem.with_suffix(".svg"))
    logging.info("%s.md, .csv and .svg are written", stem)
