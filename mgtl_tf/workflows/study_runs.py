"""The runs of a study: their data, what is left to train, the training."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import logging

from mgtl_tf.config import TrainConfig
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.problems import Problem
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import Dataset
from mgtl_tf.reproduction.launch import (
    Environment,
    Job,
    run_all,
    training_command,
)
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.reproduction.study import Study
from mgtl_tf.reproduction.versions import Versions, code_version, data_version
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.prepare import prepare
from mgtl_tf.workflows.resume import locked_run
from mgtl_tf.workflows.world import make_world
from polar.parallel import usable_cores


def ready_data(
    study: Study, runs: Sequence[Run], world: WorldSettings | None
) -> Versions:
    """Makes the study's synthetic world, if it has one; decodes all pairs.

    Args:
        study: whose data are needed.
        runs: that need them; they may take images of several sizes.
        world: of a procedural benchmark; None: the data lie on disk.

    Returns:
        code and data that a run is started with now.

    Raises:
        UserError: for a folder that holds another world, or pairs that
            cannot be read.
    """
    if world is not None:
        make_world(world, study.data_dir, usable_cores())
    configs = {run.config.data.data_cache: run.config for run in runs}
    for config in configs.values():
        settings = CacheSettings.of(
            study.preset, config.model.input_form, config.data.ground_crop
        )
        done = prepare(
            study.data_dir,
            config.data.data_cache,
            settings,
            options=config.data.reader_options,
        )
        if done.errors:
            raise UserError(
                f"{done.report}: {len(done.errors)} of {done.pairs} pairs"
                " cannot be used; repair them: every run must see the same"
            )
    dataset = _read(study)
    return Versions(code_version(), data_version(dataset))


def _read(study: Study, problems: list[Problem] | None = None) -> Dataset:
    """A study's pairs, as of `read_dataset`."""
    options = study.data.reader_options
    return read_dataset(study.preset, study.data_dir, problems, options)


def data_remarks(study: Study) -> tuple[str, ...]:
    """What stands beside every figure that is measured on a study's data.

    Raises:
        UserError: for data on disk that cannot be read.
    """
    if not study.data.reader_options:
        return ()  # Only what can be read in several ways has any.
    # Files are not looked for: prepare did.
    return _read(study, []).remarks


def finish(
    runs: Sequence[Run],
    versions: Versions,
    environments: Sequence[Environment],
    any_code: bool = False,
) -> None:
    """Trains what is not finished yet; logs how each run ended.

    Args:
        runs: all that are needed.
        versions: of code and data.
        environments: of `devices`.
        any_code: accepts finished runs of other code.

    Raises:
        UserError: where a folder holds another run, or runs failed; the
            others are finished first.
    """
    missing = [r for r in runs if not r.is_finished(versions, any_code)]
    logging.info("%d of %d runs are to be trained", len(missing), len(runs))
    for run in missing:
        # A trainer that outlived a killed study still holds the lock.
        with locked_run(run.folder):
            run.sign(versions)
    while missing:
        # Those that start from another run come after it.
        folders = {str(run.folder) for run in missing}
        later = [r for r in missing if r.config.train.init_backbone in folders]
        ready = [run for run in missing if run not in later]
        run_all([training_job(run) for run in ready], environments)
        missing = later


def training_job(run: Run) -> Job:
    """`experiments.train` of a run; it resumes what is there."""
    command = [*training_command(run.config), f"--run_dir={run.folder}"]
    return Job(run.name, command, run.folder.with_name(f"{run.name}.log"))


def evaluation_job(run: Run, logs: Path, flags: Mapping[str, Any]) -> Job:
    """`experiments.evaluate` of the checkpoint that a run's report is of.

    Args:
        run: that was trained.
        logs: the folder of its log.
        flags: further ones, by name.
    """
    known = {"run_dir": run.folder, "checkpoint": "best", **flags}
    given = [f"--{name}={value}" for name, value in known.items()]
    command = [sys.executable, "-m", "experiments.evaluate", *given]
    return Job(run.name, command, logs / f"{run.name}.log")


class RunsOfWorld(NamedTuple):
    """Runs that are trained on the same pairs.

    Attributes:
        study: whose data they take.
        runs: all of them.
        world: of a procedural benchmark; None: the data lie on disk.
    """

    study: Study
    runs: Sequence[Run]
    world: WorldSettings | None


def plan(groups: Sequence[RunsOfWorld], any_code: bool = False) -> list[str]:
    """What `finish` would train: a line a run. Nothing is written.

    Raises:
        UserError: for data on disk that cannot be read, or where a folder
            holds another run.
    """
    lines, total = [], 0
    for group in groups:
        if not group.runs:
            continue
        versions, pairs = _versions_there(group)
        for run in group.runs:
            if versions and run.is_finished(versions, any_code):
                lines.append(f"{run.name}: finished")
            else:
                steps = steps_of(run.config.train, pairs)
                lines.append(f"{run.name}: {steps:,} steps")
                total += steps
    if not lines:
        return ["nothing to train"]
    return [*lines, f"{total:,} steps to train in all"]


def _versions_there(group: RunsOfWorld) -> tuple[Versions | None, int]:
    """Versions of code and data, and training pairs; reads file sizes only.

    The versions are None where the group's world is not complete yet.
    """
    try:
        dataset = _read(group.study)
    except UserError:
        if group.world is None:
            raise
        return None, group.world.train_pairs
    versions = Versions(code_version(), data_version(dataset))
    return versions, len(dataset.train)


def steps_of(config: TrainConfig, pairs: int) -> int:
    """Steps of a complete run; an epoch's last, smaller batch is dropped."""
    steps = config.epochs * (pairs // config.batch_size)
    return min(steps, config.max_steps) if config.max_steps else steps
