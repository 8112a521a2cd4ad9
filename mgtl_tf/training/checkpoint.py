"""Saving and restoring a run, in plain NumPy files.

A checkpoint is a folder `checkpoints/{last,best}-STEP/` that holds
`weights.npz` (every variable of the model, random states included),
`state.json`, and for `last` also `optimizer.npz` and, while batches are
mined, `neighbours.npy`. It is written under a temporary name and renamed, so
that a folder with its final name is always whole.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mgtl_tf.config import RunConfig
from mgtl_tf.errors import UserError
from mgtl_tf.systems import build_model


@dataclass
class Progress:
    """Where a run stands: everything the next step depends on but weights.

    `step` counts from the start of the run, `epoch_step` within `epoch`;
    `best` is the highest validation r@1 so far (-1: none yet), `neighbours`
    the nearest wrong places [N, k] that mined batches are composed from,
    `data` names the training pairs, whose rows all this is about.
    """

    step: int = 0
    epoch: int = 0
    epoch_step: int = 0
    best: float = -1.0
    seconds: float = 0.0
    data: str = ""
    neighbours: np.ndarray | None = None


class Checkpoints:
    """The checkpoints of one run folder.

    Args:
        run_dir: the run folder; `checkpoints/` is made inside.
        model: whose variables are saved and restored.
        optimizer: built; saved in `last` checkpoints only.
    """

    def __init__(
        self,
        run_dir: Path | str,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
    ):
        self.folder = Path(run_dir) / "checkpoints"
        self.model = model
        self.optimizer = optimizer

    def save_last(self, progress: Progress) -> None:
        """Writes all that a resumed run needs; older `last` ones go."""
        arrays = {"optimizer": _arrays(self.optimizer.variables)}
        self._save("last", progress, arrays)

    def save_best(self, progress: Progress) -> None:
        """Writes the weights of the best evaluation so far."""
        self._save("best", progress, {})

    def _save(self, kind: str, progress: Progress, arrays: dict) -> None:
        final = self.folder / f"{kind}-{progress.step:08d}"
        beside = self.folder / f".{final.name}.tmp"
        for killed in self.folder.glob(f".{kind}-*"):
            shutil.rmtree(killed, ignore_errors=True)
        beside.mkdir(parents=True)
        arrays = {"weights": _arrays(self.model.variables), **arrays}
        try:
            for name, value in arrays.items():
                np.savez(beside / f"{name}.npz", **value)
            if kind == "last" and progress.neighbours is not None:
                np.save(beside / "neighbours.npy", progress.neighbours)
            (beside / "state.json").write_text(_state_json(progress))
            _discard(final)
            os.replace(beside, final)
        except OSError as error:
            shutil.rmtree(beside, ignore_errors=True)
            raise UserError(
                f"{final}: could not be written ({error.strerror or error});"
                " the checkpoint before it is kept"
            ) from error
        for old in _found(self.folder, kind):
            if old != final:
                _discard(old)

    def restore_last(self) -> Progress | None:
        """Restores the newest `last` checkpoint; None where there is none.

        Raises:
            UserError: where the checkpoint does not fit the model.
        """
        found = _found(self.folder, "last")
        if not found:
            return None
        folder = found[-1]
        _assign(self.model.variables, folder / "weights.npz")
        _assign(self.optimizer.variables, folder / "optimizer.npz")
        return _read_progress(folder)


class UnsavedCheckpoints(Checkpoints):
    """Those of a worker that is not the chief: read, never written."""

    def save_last(self, progress: Progress) -> None:
        """Does nothing; the chief saves the same."""

    def save_best(self, progress: Progress) -> None:
        """Does nothing; the chief saves the same."""


def has_checkpoint(run_dir: Path | str) -> bool:
    """Whether a run folder holds any whole checkpoint."""
    folder = Path(run_dir) / "checkpoints"
    return any(_found(folder, kind) for kind in ("last", "best"))


def load_model(
    run_dir: Path | str, which: str = "best"
) -> tuple[RunConfig, keras.Model]:
    """A trained run's config and model, for evaluation and export.

    Args:
        run_dir: what experiments.train wrote.
        which: "best" (by validation r@1; the last where no evaluation was
            run yet) or "last".

    Raises:
        UserError: where the folder holds no such checkpoint.
    """
    config = RunConfig.load(run_dir)
    folder = Path(run_dir) / "checkpoints"
    found = _found(folder, which) or _found(folder, "last")
    if not found:
        raise UserError(
            f"--run_dir={run_dir}: holds no checkpoint yet; train first, or"
            " wait for the first one"
        )
    model = build_model(config.model, config.train.dtype_policy)
    _assign(model.variables, found[-1] / "weights.npz")
    return config, model


def _discard(folder: Path) -> None:
    """Removes a checkpoint; one half removed never has a final name."""
    if folder.exists():
        hidden = folder.with_name(f".{folder.name}.old")
        os.replace(folder, hidden)
        shutil.rmtree(hidden, ignore_errors=True)


def _found(folder: Path, kind: str) -> list[Path]:
    """Whole checkpoints of a kind, oldest first."""
    return sorted(p for p in folder.glob(f"{kind}-*") if p.is_dir())


def _arrays(variables: list) -> dict[str, np.ndarray]:
    # The number keeps names apart and in order: Keras paths may repeat.
    return {
        f"{i:05d} {v.path}": keras.ops.convert_to_numpy(v)
        for i, v in enumerate(variables)
    }


def _assign(variables: list, path: Path) -> None:
    """Sets variables from a file that must fit them one to one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: unreadable ({error}); remove its folder to fall back"
        ) from error
    shapes = {f"{i:05d}": tuple(v.shape) for i, v in enumerate(variables)}
    saved = {name.split()[0]: a.shape for name, a in arrays.items()}
    if shapes != saved:
        raise UserError(
            f"{path}: holds {len(saved)} variables that do not fit the"
            f" model's {len(shapes)}; it belongs to another config"
        )
    for name, array in arrays.items():
        variables[int(name.split()[0])].assign(array)


def _state_json(progress: Progress) -> str:
    state = dataclasses.asdict(dataclasses.replace(progress, neighbours=None))
    del state["neighbours"]
    return json.dumps(state, indent=2) + "\n"


def _read_progress(folder: Path) -> Progress:
    state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    neighbours = folder / "neighbours.npy"
    if neighbours.is_file():
        state["neighbours"] = np.load(neighbours, allow_pickle=False)
    return Progress(**state)
