"""Where a run stands, and the files that say so."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgtl_tf.training.sealed import DamagedError


@dataclass
class Progress:
    """Where a run stands: everything the next step depends on but weights.

    `step` counts from the start of the run, `epoch_step` within `epoch`;
    `best` is the highest validation r@1 so far (-1: none yet), `neighbours`
    the nearest wrong places [N, k] that mined batches are composed from,
    `data` names the training pairs, whose rows all this is about;
    `evaluated` is the step of the last evaluation.
    """

    step: int = 0
    epoch: int = 0
    epoch_step: int = 0
    best: float = -1.0
    seconds: float = 0.0
    data: str = ""
    neighbours: np.ndarray | None = None
    evaluated: int = 0


def write_progress(folder: Path, progress: Progress) -> None:
    """Writes `state.json` and, if any, `neighbours.npy`.

    Raises:
        OSError: where they cannot be written.
    """
    state = dataclasses.asdict(dataclasses.replace(progress, neighbours=None))
    del state["neighbours"]
    if progress.neighbours is not None:
        np.save(folder / "neighbours.npy", progress.neighbours)
    (folder / "state.json").write_text(json.dumps(state, indent=2) + "\n")


def read_progress(folder: Path) -> Progress:
    """What `write_progress` wrote.

    Raises:
        DamagedError: for files that are not that.
    """
    path = folder / "state.json"
    try:
        progress = Progress(**json.loads(path.read_text()))
        neighbours = folder / "neighbours.npy"
        if neighbours.is_file():
            progress.neighbours = np.load(neighbours, allow_pickle=False)
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise DamagedError(f"{path}: not a run's state ({error})") from error
    return progress
