"""Runs of a study: what each is, and whether its folder holds it finished."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.config import RunConfig
from mgtl_tf.utils.atomic_io import atomic_write, unwritable
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json

STUDY_JSON = "study.json"
"""In a run's folder: the code and the data that it was begun with."""

RANKS = "report/ranks.npy"
"""In a finished run's folder: the rank of every validation pair."""

# Where things lie and how often they are shown decides no weight.
_FREE = ("data_dir", "data_cache", "cache", "log_every", "retrieval_pictures")
_FOLDERS = ("data_dir: ", "data_cache: ")


@dataclass(frozen=True)
class Versions:
    """Hashes of the code and of the data, of `code_version`."""

    code: str
    data: str


@dataclass(frozen=True)
class Run:
    """A config to be trained into a folder.

    Attributes:
        key: of its row.
        folder: the run folder; its parent holds NAME.log as well.
        config: all of it, seed and data included.
    """

    key: str
    folder: Path
    config: RunConfig

    @property
    def name(self) -> str:
        """The folder's own name, such as with_cmi-seed0."""
        return self.folder.name

    @property
    def is_trained(self) -> bool:
        """Whether its end was reached: the report is written last."""
        return (self.folder / "report" / "report.html").is_file()

    @property
    def changes(self) -> tuple[str, ...]:
        """How its config differs from the paper's: "name: theirs -> ours"."""
        found = RunConfig().differences(self.config)
        return tuple(text for text in found if not text.startswith(_FOLDERS))

    @property
    def log(self) -> Path:
        """What the run wrote to its screen."""
        return self.folder.parent / f"{self.name}.log"


def is_finished(run: Run, versions: Versions, any_code: bool = False) -> bool:
    """Whether the folder holds this very run, trained to its end.

    Args:
        run: what is asked for.
        versions: what it would be made with now.
        any_code: accepts a run of other code.

    Raises:
        UserError: where the folder holds a run of another config, of other
            data or (unless `any_code`) of other code.
    """
    if not (run.folder / "config.json").is_file():
        return False
    _require_same_config(run)
    made = _made_with(run.folder)
    if made and made.data != versions.data:
        raise _other(run, "other data")
    if not any_code and (made is None or made.code != versions.code):
        raise _other(run, "another version of the code (any_code takes it)")
    return run.is_trained


def _require_same_config(run: Run) -> None:
    saved = RunConfig.load(run.folder)
    asked = run.config
    free = {name: getattr(saved.data, name, None) for name in _FREE[:3]}
    free |= {name: getattr(saved.train, name) for name in _FREE[3:]}
    if asked.train.dtype_policy == "auto":
        free["dtype_policy"] = saved.train.dtype_policy
    if different := saved.differences(asked.replace(**free)):
        raise _other(run, f"another config ({'; '.join(different)})")


def _other(run: Run, what: str) -> UserError:
    return UserError(
        f"{run.folder}: holds a run of {what}; move it away, or use another"
        " folder of studies"
    )


def _made_with(folder: Path) -> Versions | None:
    path = folder / STUDY_JSON
    if not path.is_file():
        return None
    return read_json(path, Versions, "remove it")


def sign(run: Run, versions: Versions) -> None:
    """Writes what a run is begun with; a run that goes on keeps its own.

    A run has begun once its config.json is there. Before that, a signature
    is of a study that was stopped before the run's turn came.

    Raises:
        UserError: where the folder cannot be written.
    """
    if (run.folder / "config.json").is_file():
        return
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(run.folder, error) from error
    text = json.dumps({"code": versions.code, "data": versions.data})
    atomic_write(run.folder / STUDY_JSON, text + "\n")


def versions_of(runs: list[Run]) -> list[str]:
    """The code versions that the runs there are were made with, each once."""
    there = [run for run in runs if (run.folder / "config.json").is_file()]
    made = [_made_with(run.folder) for run in there]
    return sorted({m.code if m else "unknown" for m in made})
