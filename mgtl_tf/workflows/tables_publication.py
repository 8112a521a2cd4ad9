"""What is published of a study: ranks of its runs, figures, facts, settings."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgtl_tf.evaluation.joint_pairs import JointPairs
from mgtl_tf.reproduction.publish import StudyFigures, figures_path, publish
from mgtl_tf.reproduction.published_study import PublishedStudy
from mgtl_tf.reproduction.recomputing import StudyRanks, ranks_key
from mgtl_tf.reproduction.results import Table, run_ranks
from mgtl_tf.reproduction.rows import Row
from mgtl_tf.reproduction.runs import Run, code_versions
from mgtl_tf.reproduction.study import Study
from mgtl_tf.reproduction.versions import code_version
from mgtl_tf.training.environment import read_environment
from mgtl_tf.workflows.conditions import condition_ranks, is_measured
from mgtl_tf.workflows.further_runs import further_ranks
from mgtl_tf.workflows.tables_request import TablesRequest


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
    if request.published.figures is None:
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
