"""Finished runs of a study measured again, under other conditions.

A difference between two systems in a small gallery may vanish in a larger
one, or show only there. Nothing is trained; the ranks are kept in each run's
folder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from mgtl_tf.evaluation.ranks import Ranks, read_ranks
from mgtl_tf.reproduction.benchmark import Condition
from mgtl_tf.reproduction.launch import Environment, Job, run_all
from mgtl_tf.reproduction.results import (
    CONDITION,
    RowResult,
    Table,
    run_result,
)
from mgtl_tf.reproduction.rows import Row
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.reproduction.study import Study
from mgtl_tf.workflows.study_runs import evaluation_job, ready_data


def measure_under_conditions(
    study: Study,
    rows: Sequence[Row],
    seeds: Sequence[int],
    environments: Sequence[Environment],
) -> None:
    """Measures each finished run under each of the benchmark's conditions.

    Args:
        study: whose runs; one without a benchmark has no conditions.
        rows, seeds: of the runs.
        environments: of `devices`.

    Raises:
        UserError: for a world that cannot be made, or runs that cannot be
            measured; the others are measured first.
    """
    for condition in study.conditions:
        elsewhere = condition.world is not None
        place = study.on_world(condition.key) if elsewhere else study
        missing = [
            run
            for run in place.runs(rows, seeds)
            if run.is_trained
            and condition.applies_to(run.config.model)
            and not is_measured(run, condition)
        ]
        if not missing:
            continue
        if condition.world is not None:
            ready_data(place, missing, condition.world)
        jobs = [_job(study, condition, run) for run in missing]
        run_all(jobs, environments)


def _job(study: Study, condition: Condition, run: Run) -> Job:
    flags: dict[str, str | Path] = {"protocol": condition.protocol}
    if condition.knowledge:
        flags["knowledge"] = condition.knowledge
    if condition.world is not None:
        names = ("data_dir", "data_cache", "feature_cache")
        own = vars(run.config.data)
        flags |= {name: own[name] for name in names if own[name]}
    return evaluation_job(run, study.folder / condition.key, flags)


def condition_table(
    study: Study,
    condition: Condition,
    titled: Sequence[tuple[str, Row]],
    seeds: Sequence[int],
) -> Table | None:
    """The table of what was measured; None where nothing was.

    Args:
        study: of a procedural benchmark.
        condition: one of its.
        titled: titles and rows, in the order of the table.
        seeds: of the runs.

    Raises:
        UserError: for a file that cannot be read.
    """
    rows = []
    for title, row in titled:
        done = [
            r for r in study.runs([row], seeds) if is_measured(r, condition)
        ]
        found = tuple(
            run_result(r, condition_ranks(r, condition)) for r in done
        )
        if found:
            rows.append(RowResult(row.key, title, found))
    if not rows:
        return None
    where = f"{study.folder.name}, the same runs, {condition.text}"
    return Table(
        CONDITION, tuple(rows), where, seeds=tuple(seeds), name=condition.title
    )


def _evaluation(run: Run, condition: Condition) -> Path:
    """The ranks that experiments.evaluate writes under a condition."""
    place = f"-{condition.key}" if condition.world else ""
    place += condition.shown.file_suffix
    name = f"evaluation-procedural-validation{place}"
    return run.folder / f"{name}-ranks.npz"


def is_measured(run: Run, condition: Condition) -> bool:
    """Whether a run was measured under a condition."""
    return _evaluation(run, condition).is_file()


def condition_ranks(run: Run, condition: Condition) -> Ranks:
    """Ranks of a run that was measured under a condition.

    Their gallery's digest is followed by the protocol, where panoramas are
    shown, or descriptors made, in another way than the run's own.

    Raises:
        UserError: where their file cannot be read.
    """
    remedy = "remove it and give the same command again"
    ranks = read_ranks(_evaluation(run, condition), remedy)
    gallery = ranks.gallery + condition.shown.file_suffix
    return dataclasses.replace(ranks, gallery=gallery)
