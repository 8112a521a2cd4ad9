"""Finished runs of a study measured on further data sets, each once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mgtl_tf.evaluation.joint_pairs import JointPairs
from mgtl_tf.evaluation.ranks import Ranks, read_ranks
from mgtl_tf.reproduction.launch import Environment, run_all
from mgtl_tf.reproduction.results import FurtherResult, RunResult, recalls_of
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.reproduction.study import Study
from mgtl_tf.workflows.further_sets import FurtherSets, further_ranks_path
from mgtl_tf.workflows.study_runs import evaluation_job


def measure_on_further(
    study: Study,
    runs: Sequence[Run],
    sets: FurtherSets,
    joint: JointPairs,
    environments: Sequence[Environment],
    options: Mapping[str, str | None] | None = None,
) -> None:
    """Measures each finished run that was not measured on these pairs.

    Runs of systems that read label maps of panoramas are left out: further
    sets need not have any.

    Args:
        study: whose runs they are.
        runs: begun or not.
        sets, joint: of `read_joint`.
        environments: of `devices`.
        options: further flags of experiments.evaluate, None where one was not
            given.

    Raises:
        UserError: for runs that cannot be measured; the others are first.
    """
    also = ",".join(f"{name}:{folder}" for name, folder in sets)
    given = {k: v for k, v in (options or {}).items() if v is not None}
    flags = {"own": "false", "also": also, **given}
    missing = [
        run
        for run in runs
        if run.is_trained
        and run.config.model.ground_form != "labels"
        and not further_ranks_path(run.folder, joint).is_file()
    ]
    logs = study.folder / "also"
    run_all([evaluation_job(run, logs, flags) for run in missing], environments)


def further_ranks(run: Run, joint: JointPairs) -> Ranks | None:
    """A run's ranks in the joint gallery; None where it was not measured.

    Raises:
        UserError: for a damaged file.
    """
    path = further_ranks_path(run.folder, joint)
    if not path.is_file():
        return None
    return read_ranks(path, "remove it and give the same command again")


def with_further(
    result: RunResult, ranks: Ranks | None, joint: JointPairs
) -> RunResult:
    """A run's figures with those of the further gallery, if there are any."""
    if ranks is None:
        return result
    place = ranks.forth.place
    found = FurtherResult(
        joint.names,
        len(place),
        ranks.places,
        ranks.gallery,
        recalls_of(place, ranks.places),
        float(np.median(place)),
    )
    return dataclasses.replace(result, further=found)
