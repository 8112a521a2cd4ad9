"""A run's checkpoints: two folders of `tf.train.CheckpointManager`.

`checkpoints/last/` has the newest ones, `checkpoints/best/` the best one;
`tf.train.latest_checkpoint` and `tf.train.load_checkpoint` read both. Each
holds `model/PATH` and, in `last`, `optimizer/PATH` of the Keras variables, and
`progress/NAME`: all that an exact resume needs. TensorFlow stores a CRC of
every tensor; all are compared before the first variable is set. The file
`checkpoint` lists the finished ones.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from mgtl_tf.config import RunConfig
from mgtl_tf.config.run import is_comparable
from mgtl_tf.models import build_model
from mgtl_tf.training.progress import VALUE, Progress
from mgtl_tf.utils.atomic_io import atomic_write, sync
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_path import as_os_errors, plain_path

_NAME = re.compile(r"ckpt-(\d+)")
_SHOWN = 3  # differing variables that an error lists
_UNREADABLE = (
    tf.errors.OpError,
    IndexError,
    MemoryError,
    RuntimeError,
    ValueError,
)


class DamagedError(UserError):
    """A checkpoint that cannot be read; names it and the reason."""


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
        optimizer = _by_path(self.optimizer, self.model)
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
        new = folder / f"ckpt-{_highest_number(folder) + 1}"
        objects = tf.train.Checkpoint(
            model=_by_path(self.model, self.model),
            progress=progress.variables(),
            **groups,
        )
        # Between TensorFlow's writing and the removal of an older one.
        options = tf.train.CheckpointOptions(
            experimental_write_callbacks=[lambda _: _sync(new)]
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _list(
                folder, [p for p in _finished(folder) if p not in self._damaged]
            )
            with plain_path(folder) as plain, as_os_errors():
                manager = tf.train.CheckpointManager(objects, str(plain), keep)
                manager.save(_number(new), options=options)
                kept = {Path(path).name for path in manager.checkpoints}
            _remove_others(folder, kept)
        except (OSError, UserError) as error:
            _remove(folder, new.name)
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
        for path in reversed(_finished(folder)):
            try:
                progress = _restore(
                    path,
                    model=_by_path(self.model, self.model),
                    optimizer=_by_path(self.optimizer, self.model),
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
    return any(_finished(folder / kind) for kind in ("last", "best"))


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
        with _reading(path) as (_, reader):
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
    _restore(_newest(run_dir, which), model=_by_path(model, model))


def _newest(run_dir: Path | str, which: str) -> Path:
    folder = Path(run_dir) / "checkpoints"
    saved = _finished(folder / which) or _finished(folder / "last")
    if not saved:
        raise UserError(
            f"{run_dir}: holds no checkpoint yet; train first, or wait for the"
            " first one"
        )
    return saved[-1]


def _finished(folder: Path) -> list[Path]:
    """`FOLDER/ckpt-N` of the list, or of all files without one; by number."""
    listed = folder / "checkpoint"
    try:
        # A pipe would be waited for.
        text = listed.read_text(errors="replace") if listed.is_file() else ""
    except OSError:
        text = ""
    names = {m.group() for m in _NAME.finditer(text)}
    names = names or {path.stem for path in folder.glob("ckpt-*.index")}
    paths = [folder / name for name in names if _NAME.fullmatch(name)]
    return sorted(paths, key=_number)


def _number(path: Path) -> int:
    return int(path.name.partition("-")[2])


def _highest_number(folder: Path) -> int:
    found = map(_NAME.match, (p.name for p in folder.glob("ckpt-*")))
    return max((int(m.group(1)) for m in found if m), default=0)


def _list(folder: Path, checkpoints: Collection[Path]) -> None:
    """Writes the manager's list, which may be damaged or name damaged ones."""
    if not checkpoints:
        return
    names = [path.name for path in sorted(checkpoints, key=_number)]
    lines = [f'model_checkpoint_path: "{names[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
    lines += ["all_model_checkpoint_timestamps: 1.0" for _ in names]
    atomic_write(folder / "checkpoint", "\n".join(lines) + "\n")


def _sync(checkpoint: Path) -> None:
    for file in checkpoint.parent.glob(f"{checkpoint.name}.*"):
        sync(file)
    sync(checkpoint.parent)


def _remove_others(folder: Path, kept: Collection[str]) -> None:
    found = {m.group() for p in folder.iterdir() if (m := _NAME.match(p.name))}
    for name in found.difference(kept):
        _remove(folder, name)


def _remove(folder: Path, name: str) -> None:
    """Removes a checkpoint's files, those of an interrupted write included."""
    for path in folder.glob(f"{name}[._]*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _reading(path: Path) -> Iterator[tuple[str, Any]]:
    """A checkpoint's prefix and TensorFlow's reader of it."""
    for file in path.parent.glob(f"{path.name}.*"):
        if not file.is_file():  # TensorFlow would wait for a pipe's writer
            raise DamagedError(
                f"{path}: cannot be read ({file.name} is no regular file)"
            )
    try:
        with plain_path(path.parent) as plain:
            prefix = str(plain / path.name)
            yield prefix, tf.train.load_checkpoint(prefix)
    except _UNREADABLE as error:
        line = (str(error).splitlines() or ["unknown"])[0]
        raise DamagedError(f"{path}: cannot be read ({line})") from error


def _restore(path: Path, **groups: dict[str, tf.Variable]) -> Progress:
    """Sets all variables of the groups, once the whole file was read."""
    with _reading(path) as (prefix, reader):
        shapes = reader.get_variable_to_shape_map()
        _require_fit(path, shapes, groups)
        for name in shapes:
            reader.get_tensor(name)  # compares its checksum
        if "optimizer" in groups:  # a run cannot be resumed without
            reader.get_tensor(f"progress/step{VALUE}")
        status = tf.train.Checkpoint(**groups).read(prefix)
        status.assert_existing_objects_matched().expect_partial()
        return Progress.read(reader)


def _by_path(
    holder: keras.Model | keras.optimizers.Optimizer, model: keras.Model
) -> dict[str, tf.Variable]:
    """Variables by their Keras paths, without what Keras counts per process.

    Keras models are no complete object graphs: statistics and random states
    of layers in lists would be missing from the checkpoint.
    """
    found: dict[str, tf.Variable] = {}
    counts: Counter[str] = Counter()
    for variable in holder.variables:
        path = variable.path.partition("/")[2] or variable.path
        path = path.removeprefix(f"{model.name}_")
        path = re.sub(r"(seed_generator)_\d+", r"\1", path)
        again = f"#{counts[path]}" if counts[path] else ""
        found[path + again] = variable.value
        counts[path] += 1
    return found


def _require_fit(
    path: Path,
    shapes: dict[str, list[int]],
    groups: dict[str, dict[str, tf.Variable]],
) -> None:
    ours = {
        f"{group}/{name} {tuple(variable.shape)}"
        for group, variables in groups.items()
        for name, variable in variables.items()
    }
    theirs = {
        # TensorFlow escapes the slashes of a path.
        f"{key.removesuffix(VALUE).replace('.S', '/')} {tuple(shape)}"
        for key, shape in shapes.items()
        if key.partition("/")[0] in groups
    }
    sides = {"model": ours - theirs, "file": theirs - ours}
    differences = [
        f"only in the {side}: {', '.join(sorted(only)[:_SHOWN])}"
        for side, only in sides.items()
        if only
    ]
    if differences:
        raise UserError(
            f"{path}: holds {len(theirs)} variables that do not fit the"
            f" model's {len(ours)}, {'; '.join(differences)}; it belongs to"
            " another config"
        )
