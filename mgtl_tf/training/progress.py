"""Where a run stands, and the files that say so."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgtl_tf.training.sealed import DamagedError
from mgtl_tf.utils.array_files import read_array
from mgtl_tf.utils.json_files import read_json
from mgtl_tf.utils.plain_files import UnfitFileError, damaged


@dataclass
class Progress:
    """Where a run stands: everything the next step depends on but weights.

    `step` counts from the start of the run, `epoch_step` within `epoch`;
    `best` is the highest validation r@1 so far (-1: none yet), `neighbours`
    the nearest wrong places [N, k] that mined batches are composed from,
    `data` names the training pairs, whose rows all this is about, and
    `network` the model's config (`RunConfig.network`); `evaluated` is the
    step of the last evaluation.
    """

    step: int = 0
    epoch: int = 0
    epoch_step: int = 0
    best: float = -1.0
    seconds: float = 0.0
    data: str = ""
    neighbours: np.ndarray | None = None
    evaluated: int = 0
    network: str = ""


@dataclass(frozen=True)
class _State:
    """What state.json holds: `Progress`, but for the neighbours."""

    step: int
    epoch: int
    epoch_step: int
    best: float
    seconds: float
    data: str = ""
    evaluated: int = 0
    network: str = ""


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
    state = read_json(folder / "state.json", _State, "", error=DamagedError)
    path = folder / "neighbours.npy"
    neighbours = None
    if path.exists():
        try:
            neighbours = read_array(path, "i", (None, None))
        except UnfitFileError as error:
            raise damaged(path, error, "", DamagedError) from error
    return Progress(**dataclasses.asdict(state), neighbours=neighbours)
