"""Finished runs of a study measured again, among more distractors.

A difference between two systems in a small gallery may vanish in a larger
one, or show only there. Nothing is trained; each figure is kept in its run
folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mgtl_tf.evaluation.ranks import Ranks, read_ranks
from mgtl_tf.reproduction.launch import Environment, run_all
from mgtl_tf.reproduction.results import (
    DISTRACTORS,
    RowResult,
    Table,
    run_result,
)
from mgtl_tf.reproduction.rows import Row
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.reproduction.study import Study
from mgtl_tf.workflows.study_runs import evaluation_job, ready_data

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
        if run.is_trained and not is_measured(run)
    ]
    if study.benchmark is not None and missing:
        ready_data(other, rows, study.benchmark.distractor_world)
        logs = study.folder / _WORLD
        jobs = [
            evaluation_job(
                run,
                logs,
                {
                    "data_dir": run.config.data.data_dir,
                    "data_cache": run.config.data.data_cache,
                },
            )
            for run in missing
        ]
        run_all(jobs, environments)


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
        done = [run for run in runs if is_measured(run)]
        found = tuple(run_result(run, distractor_ranks(run)) for run in done)
        rows.append(RowResult(row.key, title, found))
    if not any(row.runs for row in rows):
        return None
    where = f"{study.folder.name}, the same runs, another synthetic world"
    return Table(DISTRACTORS, tuple(rows), where, seeds=tuple(seeds))


def _evaluation(run: Run) -> Path:
    """The ranks that experiments.evaluate writes of a folder of this name."""
    name = f"evaluation-procedural-validation-{_WORLD}-ranks.npz"
    return run.folder / name


def is_measured(run: Run) -> bool:
    """Whether a run was measured among more distractors."""
    return _evaluation(run).is_file()


def distractor_ranks(run: Run) -> Ranks:
    """Ranks of a run that was measured among more distractors.

    Raises:
        UserError: where their file cannot be read.
    """
    remedy = "remove it and give the same command again"
    return read_ranks(_evaluation(run), remedy)
