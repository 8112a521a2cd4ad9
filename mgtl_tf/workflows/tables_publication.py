"""What is published of a study: ranks of its runs, figures, facts, settings.

A row that is replaced must be in every table that publishes it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mgtl_tf.evaluation.joint_pairs import JointPairs
from mgtl_tf.reproduction.publish import StudyFigures, figures_path, publish
from mgtl_tf.reproduction.published_study import PublishedStudy
from mgtl_tf.reproduction.recomputing import StudyRanks, ranks_key
from mgtl_tf.reproduction.results import (
    CONDITION,
    CONTROLS,
    SEARCH,
    WARM,
    Table,
    run_ranks,
)
from mgtl_tf.reproduction.rows import TODAY, Row
from mgtl_tf.reproduction.runs import Run, code_versions
from mgtl_tf.reproduction.study import Study
from mgtl_tf.reproduction.versions import code_version
from mgtl_tf.training.environment import read_environment
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.conditions import condition_ranks, is_measured
from mgtl_tf.workflows.further_runs import further_ranks
from mgtl_tf.workflows.tables_request import TablesRequest

_FLAGS = {
    CONTROLS: "--controls",
    CONDITION: "--conditions",
    WARM: "--warm",
    SEARCH: "--search",
}


def searched_ranks(request: TablesRequest) -> dict[str, np.ndarray]:
    """Ranks of the search's finished runs, by `ranks_key`.

    Raises:
        UserError: for a file that cannot be read.
    """
    done = [run for _, run in request.searched if run.is_trained]
    read = {run.name: run_ranks(run) for run in done}
    return {
        ranks_key(name, 0, ranks.gallery): ranks.forth.place
        for name, ranks in read.items()
    }


def ranks_of(
    study: Study, row: Row, runs: Sequence[Run], joint: JointPairs | None
) -> dict[str, np.ndarray]:
    """Ranks of a row, by `ranks_key`, on every gallery it was measured on.

    Args:
        study: that the runs are of.
        row: whose runs.
        runs: the finished ones.
        joint: the pairs of the further data sets, where any are asked for.

    Raises:
        UserError: for a file that cannot be read.
    """
    found = {}
    for run in runs:
        measured = [run_ranks(run)]
        measured += [
            condition_ranks(run, condition)
            for condition in study.conditions
            if is_measured(run, condition)
        ]
        if joint and (ranks := further_ranks(run, joint)):
            measured.append(ranks)
        for ranks in measured:
            key = ranks_key(row.key, run.config.train.seed, ranks.gallery)
            found[key] = ranks.forth.place
    return found


def study_ranks(request: TablesRequest) -> StudyRanks:
    """The ranks of all finished runs, for publication.

    Raises:
        UserError: for a file that cannot be read.
    """
    joint = request.joint
    found = searched_ranks(request)
    for row in request.rows:
        runs = request.study.runs([row], request.seeds)
        done = [run for run in runs if run.is_trained]
        found |= ranks_of(request.study, row, done, joint)
    return found


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
        UserError: where a file cannot be written, or a run that is published
            would be dropped.
    """
    study = request.study
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": f"`{command}`",
        **_machine(study.folder),
        "seeds": ", ".join(map(str, request.seeds)),
        "code": _code(request),
    }
    figures = StudyFigures(study.folder.name, facts, request.settings, shown)
    before = PublishedStudy.read(docs, figures.name)
    before.require_kept(figures, figures_path(docs, figures.name))
    ranks = {**request.published.ranks, **study_ranks(request)}
    return publish(request.published.joined(figures), docs, ranks)


def _code(request: TablesRequest) -> str:
    """Of the runs; of nothing but costs that were measured, today's."""
    found = code_versions(request.runs)
    if not found and not request.published.figures:
        found = [code_version()]
    return ", ".join(found)


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


def require_all_shown(request: TablesRequest) -> None:
    """Refuses to replace a row in some of its tables alone, or some seeds.

    A table that is not asked for shows what is published; it would lose the
    row, and compare others with the row as it was.

    Raises:
        UserError: naming a row and what is to be asked for too.
    """
    for key in sorted({r.key for t in _replaced(request) for r in t.rows}):
        tables = [t for t in _replaced(request) if t.has_row(key)]
        _require_tables(request, key, tables)
        _require_seeds(request, key, tables)


def _replaced(request: TablesRequest) -> tuple[Table, ...]:
    return request.published.replaced


def _require_tables(
    request: TablesRequest, key: str, tables: Iterable[Table]
) -> None:
    lost = [table for table in tables if not request.shows(table)]
    if lost:
        names = ", ".join(table.heading for table in lost)
        raise UserError(
            f"--replace_rows={key}: is published in {names} too, which would"
            f" lose it; ask for them too, by {_asking(request, lost)}"
        )


def _asking(request: TablesRequest, lost: Iterable[Table]) -> str:
    """The flags of these tables; --table of all that are asked for."""
    further = {table.number for table in lost}
    flags = [_FLAGS[number] for number in _FLAGS if number in further]
    if numbers := sorted(further - set(_FLAGS)):
        wanted = sorted({*request.tables, *numbers})
        listed = ("today" if n == TODAY else str(n) for n in wanted)
        flags.insert(0, f"--table={','.join(listed)}")
    return " ".join(flags)


def _require_seeds(
    request: TablesRequest, key: str, tables: Iterable[Table]
) -> None:
    rows = (row for table in tables for row in table.rows if row.key == key)
    # A search's runs are named by row and rate, and have one seed.
    published = {run.seed for row in rows for run in row.runs}
    there = {r.config.train.seed for r in request.runs if r.row == key}
    if there and (lost := sorted(published - there)):
        wanted = ",".join(map(str, sorted({*request.seeds, *lost})))
        raise UserError(
            f"--replace_rows={key}: is published with seed"
            f" {', '.join(map(str, lost))}, which would be lost; ask for it"
            f" too, by --seeds={wanted}"
        )
