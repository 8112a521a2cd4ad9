"""The search before a study: each row's settings, tried on another world."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mgtl_tf.reproduction.benchmark import Benchmark
from mgtl_tf.reproduction.launch import Devices
from mgtl_tf.reproduction.results import final_recall
from mgtl_tf.reproduction.rows import Row
from mgtl_tf.reproduction.runs import Run, Versions
from mgtl_tf.reproduction.study import SETTINGS_JSON, Study, read_search
from mgtl_tf.utils.atomic_io import write_whole
from mgtl_tf.workflows.study_runs import finish


def search_settings(
    study: Study,
    rows: Sequence[Row],
    benchmark: Benchmark,
    versions: Versions,
    devices: Devices,
    any_code: bool = False,
) -> dict[str, Mapping[str, Any]]:
    """Tries every row's settings on the tuning world; keeps the best.

    How many trials a row has is the benchmark's. All trials and the choice are
    written to settings.json in the study's folder.

    Args:
        study: of the tuning world.
        rows: to search for.
        benchmark: what is tried, and for how many steps.
        versions, devices, any_code: as of `finish`.

    Returns:
        row key to its settings.

    Raises:
        UserError: as `finish`.
    """
    tried = {r.key: _tried(benchmark, r) for r in rows}
    trials = trials_of(study, rows, benchmark)
    listed = [run for runs in trials.values() for run in runs]
    finish(listed, versions, devices, any_code)
    recalls = {k: [final_recall(r) for r in runs] for k, runs in trials.items()}
    chosen = {
        key: tried[key][max(range(len(found)), key=found.__getitem__)]
        for key, found in recalls.items()
    }
    told = {
        key: [
            {**settings, "r@1": value}
            for settings, value in zip(tried[key], values, strict=True)
        ]
        for key, values in recalls.items()
    }
    _keep(study, benchmark.search_steps, chosen, told)
    return chosen


def _keep(
    study: Study,
    steps: int,
    chosen: Mapping[str, Any],
    trials: Mapping[str, Any],
) -> None:
    """Writes settings.json; rows of an earlier search keep what it chose."""
    earlier = read_search(study.folder)
    found = {
        "steps": steps,
        "chosen": {**earlier.get("chosen", {}), **chosen},
        "trials": {**earlier.get("trials", {}), **trials},
    }
    path = study.folder / SETTINGS_JSON
    write_whole(path, json.dumps(found, indent=1) + "\n")


def trials_of(
    study: Study, rows: Sequence[Row], benchmark: Benchmark
) -> dict[str, list[Run]]:
    """Row key to the runs of its search."""
    steps = benchmark.search_steps
    return {
        row.key: study.trials(row, _tried(benchmark, row), steps)
        for row in rows
    }


def _tried(benchmark: Benchmark, row: Row) -> Sequence[Mapping[str, Any]]:
    return benchmark.trials.get(row.key, benchmark.trials[""])
