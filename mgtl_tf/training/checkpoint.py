"""A run's checkpoints: TensorFlow's own, with what exact resume needs beside.

`checkpoints/last/` and `checkpoints/best/` are folders of
`tf.train.CheckpointManager`; `tf.train.latest_checkpoint` and
`tf.train.load_checkpoint` read them. Checkpoint N (counted by saves) is
`ckpt-N.index` and `ckpt-N.data-*`, which hold `model/PATH`, `optimizer/PATH`
(of the variables) and `neighbours`, and `ckpt-N.json` with the progress of the
run and the checksums of the two. The JSON file is written last: a checkpoint
without it is unfinished, and one whose files differ from it is damaged and
never read.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from mgtl_tf.config import RunConfig
from mgtl_tf.config.run import is_comparable
from mgtl_tf.models import build_model
from mgtl_tf.utils.atomic_io import atomic_write, sync
from mgtl_tf.utils.checksums import Fingerprint, fingerprint, require_same
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json, sealed_text
from mgtl_tf.utils.plain_files import UnfitFileError
from mgtl_tf.utils.plain_path import as_os_errors, plain_path

_KINDS = ("last", "best")
_NAME = re.compile(r"ckpt-(\d+)")
_SHOWN = 3  # differing variables that an error lists


class DamagedError(UserError):
    """A checkpoint that is not what was written; names file and reason."""


@dataclass
class Progress:
    """Where a run stands: everything the next step depends on but weights.

    `step` counts from the start of the run, `epoch_step` within `epoch`;
    `best` is the highest validation r@1 so far (-1: none yet), `neighbours`
    the hard negatives [N, k] that mined batches are composed from, `data`
    a digest of the training pairs, `network` the model's config
    (`RunConfig.network`), `evaluated` the step of the last evaluation.
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
class _SavedProgress:
    """`Progress` as JSON: the neighbours are in TensorFlow's files."""

    step: int
    epoch: int
    epoch_step: int
    best: float
    seconds: float
    data: str
    evaluated: int
    network: str


@dataclass(frozen=True)
class _Manifest:
    """What `ckpt-N.json` holds."""

    progress: _SavedProgress
    files: dict[str, Fingerprint]
    sha256: str


class Checkpoints:
    """The checkpoints of one run folder.

    Args:
        run_dir: the run folder; `checkpoints/` is made inside.
        model: whose variables are saved and restored.
        optimizer: built; saved in `last` checkpoints only.
        keep: how many `last` checkpoints stay; of `best` always one.
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
        # Damaged ones that `restore_last` passed over; the next save, once
        # whole, removes them.
        self._passed_over: set[Path] = set()

    def save_last(self, progress: Progress) -> None:
        """Writes all that a resumed run needs; the oldest kept one goes.

        Raises:
            UserError: where it cannot be written; those before stay.
        """
        self._save(self._everything(progress), "last", progress, self.keep)

    def save_best(self, progress: Progress) -> None:
        """Writes the weights of the best evaluation so far.

        Raises:
            UserError: where it cannot be written; the one before stays.
        """
        objects = tf.train.Checkpoint(model=_by_path(self.model, self.model))
        self._save(objects, "best", progress, keep=1)

    def _everything(self, progress: Progress) -> tf.train.Checkpoint:
        neighbours = progress.neighbours
        if neighbours is None:
            neighbours = np.zeros((0, 0), np.int64)
        with tf.device("CPU:0"):
            variable = tf.Variable(
                neighbours, shape=(None, None), dtype=tf.int64, trainable=False
            )
        return tf.train.Checkpoint(
            model=_by_path(self.model, self.model),
            optimizer=_by_path(self.optimizer, self.model),
            neighbours=variable,
        )

    def _save(
        self,
        objects: tf.train.Checkpoint,
        kind: str,
        progress: Progress,
        keep: int,
    ) -> None:
        folder = self.folder / kind
        older = [p for p in _finished(folder) if p not in self._passed_over]
        # Never a name that is there: overwriting is not atomic.
        new = folder / f"ckpt-{_highest_number(folder) + 1}"

        # Called once TensorFlow has written, before an older one is removed.
        def finish(_: str) -> None:
            _write_manifest(new, progress)

        options = tf.train.CheckpointOptions(
            experimental_write_callbacks=[finish]
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _record(folder, older)
            with plain_path(folder) as plain, as_os_errors():
                manager = tf.train.CheckpointManager(objects, str(plain), keep)
                manager.save(_number(new), options=options)
                kept = {Path(path).name for path in manager.checkpoints}
            _remove(folder, lambda name: name not in kept)
        except (OSError, UserError) as error:
            _remove(folder, lambda name: name == new.name)
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"{new}: could not be written ({reason}); those before it are"
                " kept: mend this, then give the same command to go on from"
                " the newest"
            ) from error

    def restore_last(self) -> Progress | None:
        """Restores the newest whole `last` checkpoint; None if there is none.

        All files are compared with their checksums, and the variables'
        names and shapes with the model's, before the first is set. A damaged
        checkpoint is passed over with a warning.

        Raises:
            UserError: where the checkpoint does not fit the model, or all
                are damaged.
        """
        damages: list[str] = []
        for path in reversed(_finished(self.folder / "last")):
            try:
                manifest = _require_whole(path)
                objects = self._everything(Progress())
                _read(objects, path)
            except DamagedError as error:
                self._passed_over.add(path)
                damages.append(str(error))
                continue
            progress = Progress(**dataclasses.asdict(manifest.progress))
            neighbours = objects.neighbours.numpy()
            progress.neighbours = neighbours if neighbours.size else None
            if damages:
                logging.warning(
                    "%s; going back to step %d",
                    "; ".join(damages),
                    progress.step,
                )
            return progress
        if damages:
            raise UserError(
                f"{'; '.join(damages)}; no checkpoint is whole: put back a"
                f" copy, or remove {self.folder} to begin the run anew"
            )
        return None


class UnsavedCheckpoints(Checkpoints):
    """Those of a worker that is not the chief: read, never written."""

    def save_last(self, progress: Progress) -> None:
        """Does nothing; the chief saves the same."""

    def save_best(self, progress: Progress) -> None:
        """Does nothing; the chief saves the same."""


def has_checkpoint(run_dir: Path | str) -> bool:
    """Whether a run folder holds any checkpoint, be it damaged."""
    folder = Path(run_dir) / "checkpoints"
    return any(_finished(folder / kind) for kind in _KINDS)


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
        path = _newest(run_dir, which)
        network = _read_manifest(path).progress.network
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
    path = _newest(run_dir, which)
    _require_whole(path)
    _read(tf.train.Checkpoint(model=_by_path(model, model)), path)


def _newest(run_dir: Path | str, which: str) -> Path:
    folder = Path(run_dir) / "checkpoints"
    saved = _finished(folder / which) or _finished(folder / "last")
    if not saved:
        raise UserError(
            f"--run_dir={run_dir}: holds no checkpoint yet; train first, or"
            " wait for the first one"
        )
    return saved[-1]


def _finished(folder: Path) -> list[Path]:
    """`FOLDER/ckpt-N` of all that were written to the end, oldest first."""
    try:
        names = {path.stem for path in folder.glob("ckpt-*.json")}
        recorded = (folder / "checkpoint").read_text(errors="replace")
        # One whose JSON file was lost is damaged, not unfinished.
        names |= {m.group() for m in _NAME.finditer(recorded)}
    except OSError:
        names = names if folder.is_dir() else set()
    paths = [folder / name for name in names if _NAME.fullmatch(name)]
    return sorted(paths, key=_number)


def _number(path: Path) -> int:
    return int(path.name.partition("-")[2])


def _highest_number(folder: Path) -> int:
    found = map(_NAME.match, (p.name for p in folder.glob("ckpt-*")))
    return max((int(m.group(1)) for m in found if m), default=0)


def _record(folder: Path, checkpoints: list[Path]) -> None:
    """Tells the manager which there are: a kill may have come before it."""
    (folder / "checkpoint").unlink(missing_ok=True)
    if not checkpoints:
        return
    names = [path.name for path in checkpoints]
    lines = [f'model_checkpoint_path: "{names[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
    lines += ["all_model_checkpoint_timestamps: 1.0" for _ in names]
    atomic_write(folder / "checkpoint", "\n".join(lines) + "\n")


def _remove(folder: Path, unwanted: Callable[[str], bool]) -> None:
    """Removes the files of checkpoints with unwanted names."""
    for path in sorted(folder.glob("ckpt-*")):
        match = _NAME.match(path.name)
        if match and unwanted(match.group()):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _write_manifest(path: Path, progress: Progress) -> None:
    files = sorted(
        p for p in path.parent.glob(f"{path.name}.*") if p.suffix != ".json"
    )
    for file in files:
        sync(file)
    state = dataclasses.asdict(dataclasses.replace(progress, neighbours=None))
    del state["neighbours"]
    content = {
        "progress": state,
        "files": {f.name: dataclasses.asdict(fingerprint(f)) for f in files},
    }
    atomic_write(path.with_name(f"{path.name}.json"), sealed_text(content))
    sync(path.parent)


def _read_manifest(path: Path) -> _Manifest:
    return read_json(
        path.with_name(f"{path.name}.json"),
        _Manifest,
        "",
        sealed=True,
        error=DamagedError,
    )


def _require_whole(path: Path) -> _Manifest:
    """The manifest of a checkpoint whose files are those it lists."""
    manifest = _read_manifest(path)
    for name, written in manifest.files.items():
        try:
            require_same(path.parent / name, written)
        except UnfitFileError as error:
            raise DamagedError(f"{path.parent / name}: {error}") from error
    return manifest


def _read(objects: tf.train.Checkpoint, path: Path) -> None:
    """Sets all variables of `objects`, once names and shapes were compared."""
    try:
        with plain_path(path.parent) as plain:
            prefix = str(plain / path.name)
            shapes = tf.train.load_checkpoint(prefix)
            _require_fit(path, shapes.get_variable_to_shape_map(), objects)
            status = objects.read(prefix)
            status.assert_existing_objects_matched().expect_partial()
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        line = (str(error).splitlines() or ["unknown"])[0]
        raise DamagedError(f"{path}: cannot be read ({line})") from error


def _by_path(
    holder: keras.Model | keras.optimizers.Optimizer, model: keras.Model
) -> dict[str, tf.Variable]:
    """Variables by their Keras paths, without what Keras counts per process.

    Keras models are no complete object graphs: statistics and random states
    of layers in lists would not be saved, without a word.
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
    path: Path, held: dict[str, list[int]], objects: tf.train.Checkpoint
) -> None:
    groups = [g for g in ("model", "optimizer") if hasattr(objects, g)]
    ours = {
        f"{group}/{name} {tuple(variable.shape)}"
        for group in groups
        for name, variable in getattr(objects, group).items()
    }
    theirs = {
        f"{_plain_key(key)} {tuple(shape)}"
        for key, shape in held.items()
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


def _plain_key(key: str) -> str:
    """`model/PATH` of TensorFlow's key, which escapes the path's slashes."""
    return key.partition("/.ATTRIBUTES")[0].replace(".S", "/")
