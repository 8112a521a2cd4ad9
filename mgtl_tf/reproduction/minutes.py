"""A budget in minutes: as many steps a row as its device takes in them.

Measured once a row and kept in STUDY/minutes.json, so that the same command
asks for the same runs again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mgtl_tf.reproduction.rows import Row
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.reproduction.study import Study
from mgtl_tf.utils.atomic_io import unwritable, write_whole
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json

MINUTES_JSON = "minutes.json"


@dataclass(frozen=True)
class _Budget:
    """What minutes.json holds."""

    minutes: float
    steps: dict[str, Annotated[int, Field(gt=0)]]


def read_budget(folder: Path, minutes: float) -> dict[str, int]:
    """Row key to steps, of the rows that were measured; empty before that.

    Args:
        folder: of the study.
        minutes: of every run.

    Raises:
        UserError: for a study of other minutes, or a file that cannot be
            read.
    """
    path = folder / MINUTES_JSON
    if not path.is_file():
        return {}
    found = read_json(path, _Budget, "remove it")
    if found.minutes != minutes:
        raise UserError(
            f"--minutes={minutes:g}: {folder} was begun with"
            f" {found.minutes:g}; give another --studies_dir"
        )
    return found.steps


def measured_budget(
    study: Study,
    rows: Sequence[Row],
    minutes: float,
    seconds_a_step: Callable[[Run], float],
) -> dict[str, int]:
    """`read_budget`, completed by timing the rows that it lacks.

    A row that names its own steps, as a control may, keeps them.

    Args:
        study: without a budget yet.
        rows: to be trained.
        minutes: of every run.
        seconds_a_step: measures a run's step.

    Raises:
        UserError: as `read_budget`, or where a step failed.
    """
    steps = read_budget(study.folder, minutes)
    for row in rows:
        if row.key not in steps and "max_steps" not in row.changes:
            seconds = seconds_a_step(study.run(row, 0))
            steps[row.key] = max(1, int(60 * minutes / seconds))
    return steps


def write_budget(
    folder: Path, minutes: float, steps: Mapping[str, int]
) -> None:
    """Keeps a measured budget.

    Raises:
        UserError: where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    text = json.dumps({"minutes": minutes, "steps": dict(steps)}, indent=1)
    write_whole(folder / MINUTES_JSON, text + "\n")
