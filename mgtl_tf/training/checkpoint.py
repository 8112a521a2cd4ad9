"""Saving and restoring a run, in plain NumPy files.

A checkpoint is a folder `checkpoints/{last,best}-STEP/` that holds
`weights.npz` (every variable of the model, random states included),
`state.json`, for `last` also `optimizer.npz` and, while batches are mined,
`neighbours.npy`, and the list of their checksums. It is written under a
temporary name and renamed once it lies on the disk, so that a folder with
its final name was whole; before it is read it is compared with its list.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import keras
from absl import logging

from mgtl_tf.config import RunConfig
from mgtl_tf.models import build_model
from mgtl_tf.training import variables
from mgtl_tf.training.folder_names import discard, found, new_folder, step_of
from mgtl_tf.training.progress import Progress, read_progress, write_progress
from mgtl_tf.training.sealed import DamagedError, require_whole, seal
from mgtl_tf.utils.atomic_io import sync
from mgtl_tf.utils.errors import UserError

_FILES = {
    "last": ("weights.npz", "optimizer.npz", "state.json"),
    "best": ("weights.npz", "state.json"),
}


class Checkpoints:
    """The checkpoints of one run folder.

    Args:
        run_dir: the run folder; `checkpoints/` is made inside.
        model: whose variables are saved and restored.
        optimizer: built; saved in `last` checkpoints only.
        keep: how many `last` checkpoints stay, the newest whole ones of
            different steps; of `best` always the newest alone.
    """

    def __init__(
        self,
        run_dir: Path | str,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        keep: int = 2,
    ):
        self.folder = Path(run_dir) / "checkpoints"
        self.model = model
        self.optimizer = optimizer
        self.keep = keep

    def save_last(self, progress: Progress) -> None:
        """Writes all that a resumed run needs; the oldest kept one goes.

        Raises:
            UserError: where it cannot be written; those before stay.
        """
        self._save("last", progress, self.keep)

    def save_best(self, progress: Progress) -> None:
        """Writes the weights of the best evaluation so far.

        Raises:
            UserError: where it cannot be written; the one before stays.
        """
        # What only a resumed run needs is left out.
        self._save("best", dataclasses.replace(progress, neighbours=None), 1)

    def _save(self, kind: str, progress: Progress, keep: int) -> None:
        final = new_folder(self.folder, kind, progress.step)
        beside = self.folder / f".{final.name}.tmp"
        try:
            for killed in self.folder.glob(f".{kind}-*"):
                shutil.rmtree(killed, ignore_errors=True)
            beside.mkdir(parents=True)
            self._write(beside, kind, progress)
            seal(beside)
            os.replace(beside, final)
            sync(self.folder)
        except OSError as error:
            shutil.rmtree(beside, ignore_errors=True)
            raise UserError(
                f"{final}: could not be written ({error.strerror or error});"
                " those before it are kept: mend this, then give the same"
                " command to go on from the newest"
            ) from error
        self._tidy(kind, final, keep)

    def _write(self, folder: Path, kind: str, progress: Progress) -> None:
        saved = {"weights.npz": self.model, "optimizer.npz": self.optimizer}
        for name, holder in saved.items():
            if name in _FILES[kind]:
                variables.save_variables(
                    folder / name, holder.variables, self.model.name
                )
        write_progress(folder, progress)

    def _tidy(self, kind: str, newest: Path, keep: int) -> None:
        """Keeps the newest, and whole ones of earlier steps beside it.

        Later steps are those that a run which had to fall back takes again.
        """
        kept = {newest}
        for folder in reversed(found(self.folder, kind)):
            older = step_of(folder) < step_of(newest)
            if older and len(kept) < keep and _is_whole(folder, kind):
                kept.add(folder)
        for folder in found(self.folder, kind):
            if folder not in kept:
                discard(folder)

    def restore_last(self) -> Progress | None:
        """Restores the newest whole `last` checkpoint; None if there is none.

        Every byte is compared with the checksums, and every variable with
        the model's, before the first is set. A damaged checkpoint is passed
        over with a warning.

        Raises:
            UserError: where the checkpoint does not fit the model, or all
                are damaged.
        """
        damages: list[str] = []
        for folder in reversed(found(self.folder, "last")):
            try:
                require_whole(folder, _FILES["last"])
                progress = self._restore(folder, damages)
            except DamagedError as error:
                damages.append(str(error))
                continue
            return progress
        if damages:
            raise UserError(
                f"{'; '.join(damages)}; no checkpoint is whole: put back a"
                f" copy, or remove {self.folder} to begin the run anew"
            )
        return None

    def _restore(self, folder: Path, damages: list[str]) -> Progress:
        progress = read_progress(folder)
        name = self.model.name
        fitting = []
        for file, holder in (
            ("weights.npz", self.model),
            ("optimizer.npz", self.optimizer),
        ):
            arrays = variables.read_arrays(
                folder / file, holder.variables, name
            )
            fitting.append((holder.variables, arrays))
        if damages:
            logging.warning(
                "%s; going back to step %d", "; ".join(damages), progress.step
            )
        for own, arrays in fitting:
            variables.assign(own, arrays)
        return progress


class UnsavedCheckpoints(Checkpoints):
    """Those of a worker that is not the chief: read, never written."""

    def save_last(self, progress: Progress) -> None:
        """Does nothing; the chief saves the same."""

    def save_best(self, progress: Progress) -> None:
        """Does nothing; the chief saves the same."""


def has_checkpoint(run_dir: Path | str) -> bool:
    """Whether a run folder holds any checkpoint, be it damaged."""
    folder = Path(run_dir) / "checkpoints"
    return any(found(folder, kind) for kind in _FILES)


def load_model(
    run_dir: Path | str, which: str = "best"
) -> tuple[RunConfig, keras.Model]:
    """A trained run's config and model, for evaluation and export.

    Args:
        run_dir: what experiments.train wrote.
        which: "best" (by validation r@1; the last where no evaluation was
            run yet) or "last".

    Raises:
        UserError: where the folder holds no such checkpoint, or a damaged
            one; another model is never taken in its place.
    """
    config = RunConfig.load(run_dir)
    try:
        # Before the model is built: of another config it may be any size.
        _require_network(config, run_dir, which)
        model = build_model(config.model, config.train.dtype_policy)
        load_weights(model, run_dir, which)
    except DamagedError as error:
        other = "last" if which == "best" else "best"
        raise UserError(
            f"{error}; put back a copy, train on until it is written anew, or"
            f" take the other with --checkpoint={other}"
        ) from error
    return config, model


def load_weights(
    model: keras.Model, run_dir: Path | str, which: str = "best"
) -> None:
    """Sets a model's variables from a run's checkpoint, see `load_model`.

    Raises:
        DamagedError: for a damaged checkpoint.
        UserError: where there is none, or it does not fit the model.
    """
    folder = _newest(run_dir, which)
    require_whole(folder, _FILES["best"])
    path = folder / "weights.npz"
    arrays = variables.read_arrays(path, model.variables, model.name)
    variables.assign(model.variables, arrays)


def _newest(run_dir: Path | str, which: str) -> Path:
    folder = Path(run_dir) / "checkpoints"
    saved = found(folder, which) or found(folder, "last")
    if not saved:
        raise UserError(
            f"--run_dir={run_dir}: holds no checkpoint yet; train first, or"
            " wait for the first one"
        )
    return saved[-1]


def _require_network(
    config: RunConfig, run_dir: Path | str, which: str
) -> None:
    folder = _newest(run_dir, which)
    require_whole(folder, ["state.json"], all_files=False)
    if read_progress(folder).network not in ("", config.network):
        raise UserError(
            f"{Path(run_dir) / 'config.json'}: its model or ground_crop is not"
            f" what {folder.name} was trained with; put back the config.json"
            " that experiments.train wrote"
        )


def _is_whole(folder: Path, kind: str) -> bool:
    try:
        require_whole(folder, _FILES[kind])
    except DamagedError as error:
        logging.warning("%s; removed, a newer checkpoint is whole", error)
        return False
    return True
