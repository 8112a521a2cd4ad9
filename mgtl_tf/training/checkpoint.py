"""A run's checkpoints: two folders of `tf.train.CheckpointManager`.

`checkpoints/last/` has the newest ones, `checkpoints/best/` the best one;
`tf.train.latest_checkpoint` and `tf.train.load_checkpoint` read both. Each
holds `model/PATH` and, in `last`, `optimizer/PATH` of the Keras variables, and
`progress/NAME`: all that an exact resume needs. TensorFlow stores a CRC of
every tensor; all are compared before the first variable is set. The file
`checkpoint` lists the finished ones.
"""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from mgtl_tf.config import RunConfig
from mgtl_tf.config.run import is_comparable
from mgtl_tf.models import build_model
from mgtl_tf.training.checkpoint_files import (
    finished,
    highest_number,
    number_of,
    remove,
    remove_others,
    sync_files,
    write_list,
)
from mgtl_tf.training.progress import Progress
from mgtl_tf.training.restoring import DamagedError, by_path, reading, restore
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_path import as_os_errors, plain_path


class Checkpoints:
    """The checkpoints of one run folder.

    Args:
        run_dir: the run folder; `checkpoints/` is made inside.
        model: whose variables are saved and restored.
        optimizer: built; saved in `last` checkpoints only.
        keep: how many `last` checkpoints stay; of `best` always one.
        writes: False for a worker that is not the chief: saving does nothing.
    """

    def __init__(
        self,
        run_dir: Path | str,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        keep: int = 2,
        writes: bool = True,
    ):
        self.folder = Path(run_dir) / "checkpoints"
        self.model = model
        self.optimizer = optimizer
        self.keep = keep
        self.writes = writes
        # Found by `restore_last`; the next save removes them.
        self._damaged: set[Path] = set()

    def save_last(self, progress: Progress) -> None:
        """Writes all that a resumed run needs; the oldest kept one goes.

        Raises:
            UserError: where it cannot be written; earlier ones stay.
        """
        optimizer = by_path(self.optimizer, self.model)
        self._save("last", self.keep, progress, optimizer=optimizer)

    def save_best(self, progress: Progress) -> None:
        """Writes the weights of the best evaluation so far.

        Raises:
            UserError: where it cannot be written; the one before stays.
        """
        self._save("best", 1, progress)

    def _save(self, kind: str, keep: int, progress: Progress, **groups) -> None:
        if not self.writes:
            return
        folder = self.folder / kind
        # Never an existing name: overwriting is not atomic.
        new = folder / f"ckpt-{highest_number(folder) + 1}"
        objects = tf.train.Checkpoint(
            model=by_path(self.model, self.model),
            progress=progress.variables(),
            **groups,
        )
        # Between TensorFlow's writing and the removal of an older one.
        options = tf.train.CheckpointOptions(
            experimental_write_callbacks=[lambda _: sync_files(new)]
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_list(
                folder, [p for p in finished(folder) if p not in self._damaged]
            )
            with plain_path(folder) as plain, as_os_errors():
                manager = tf.train.CheckpointManager(objects, str(plain), keep)
                manager.save(number_of(new), options=options)
                kept = {Path(path).name for path in manager.checkpoints}
            remove_others(folder, kept)
        except (OSError, UserError) as error:
            remove(folder, new.name)
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"{new}: could not be written ({reason}); earlier checkpoints"
                " are kept: make room, then give the same command to resume"
            ) from error

    def restore_last(self) -> Progress | None:
        """Restores the newest `last` checkpoint; None if there is none.

        A damaged one is skipped with a warning. Nothing is set before all
        tensors were read and names and shapes compared with the model's.

        Raises:
            UserError: where the checkpoint does not fit the model, or all
                are damaged.
        """
        folder = self.folder / "last"
        # The first one's writing was killed where there is no list.
        unfinished = not (folder / "checkpoint").is_file()
        damages: list[str] = []
        for path in reversed(finished(folder)):
            try:
                progress = restore(
                    path,
                    model=by_path(self.model, self.model),
                    optimizer=by_path(self.optimizer, self.model),
                )
            except DamagedError as error:
                self._damaged.add(path)
                damages += [] if unfinished else [str(error)]
                continue
            if damages:
                logging.warning(
                    "%s; resuming from step %d instead",
                    "; ".join(damages),
                    progress.step,
                )
            return progress
        if damages:
            raise UserError(
                f"{'; '.join(damages)}; no checkpoint is readable: put back a"
                f" copy, or remove {self.folder} to start the run again"
            )
        return None


def has_checkpoint(run_dir: Path | str) -> bool:
    """Whether a run folder holds any checkpoint, even a damaged one."""
    folder = Path(run_dir) / "checkpoints"
    return any(finished(folder / kind) for kind in ("last", "best"))


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
            one; no other checkpoint is used instead.
    """
    config = RunConfig.load(run_dir)
    try:
        # Before the model is built: of another config it may be any size.
        path = _newest(run_dir, which)
        with reading(path) as (_, reader):
            network = Progress.read(reader).network
        if is_comparable(network) and network != config.network:
            raise UserError(
                f"{Path(run_dir) / 'config.json'}: its model or ground_crop is"
                f" not what {path} was trained with; put back the config.json"
                " that experiments.train wrote"
            )
        model = build_model(config.model, config.train.dtype_policy)
        load_weights(model, run_dir, which)
    except DamagedError as error:
        other = "last" if which == "best" else "best"
        raise UserError(
            f"{error}; put back a copy, train until it is written again, or"
            f" use checkpoint={other}"
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
    restore(_newest(run_dir, which), model=by_path(model, model))


def _newest(run_dir: Path | str, which: str) -> Path:
    folder = Path(run_dir) / "checkpoints"
    saved = finished(folder / which) or finished(folder / "last")
    if not saved:
        raise UserError(
            f"{run_dir}: holds no checkpoint yet; train first, or wait for the"
            " first one"
        )
    return saved[-1]
