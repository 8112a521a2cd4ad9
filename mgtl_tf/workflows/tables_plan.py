"""A dry run: what `experiments.tables` would train, and how long."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mgtl_tf.reproduction.launch import Devices
from mgtl_tf.reproduction.minutes import measured_budget
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.reproduction.step_time import seconds_a_step
from mgtl_tf.reproduction.study import Study
from mgtl_tf.workflows.study_runs import plan_lines, versions_there
from mgtl_tf.workflows.study_search import trials_of
from mgtl_tf.workflows.tables_job import TablesJob


def plan(job: TablesJob) -> list[str]:
    """What would run, and how long: a line a run. Nothing is written.

    The step of each row is timed on images of noise.

    Raises:
        UserError: as `run_tables`.
    """
    devices, benchmark, rows = (
        Devices.present(job.workers),
        job.benchmark,
        job.rows,
    )
    measured: dict[str, float] = {}

    def seconds(run: Run) -> float:
        if run.key not in measured:
            place = devices.environments[0]
            measured[run.key] = seconds_a_step(run, place)
        return measured[run.key]

    def lines(study: Study, runs: Sequence[Run]) -> list[str]:
        versions, pairs = versions_there(study)
        if benchmark is not None:
            pairs = benchmark.world.train_pairs
        return plan_lines(runs, versions, pairs, seconds, devices, job.any_code)

    said: list[str] = []
    if job.search and benchmark is not None and rows:
        tuning = job.study(tuning=True)
        trials = trials_of(tuning, job.trained, benchmark)
        tried = [run for runs in trials.values() for run in runs]
        said = ["search:", *lines(tuning, tried), "then:"]
    if not rows:
        return ["nothing to train"]
    study = job.study()
    if job.minutes:
        steps = measured_budget(study, rows, job.minutes, seconds)
        study = dataclasses.replace(study, budget=steps)
    return [*said, *lines(study, study.runs(rows, job.chosen_seeds))]
