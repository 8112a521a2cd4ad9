"""Runs of a study: what each is, and whether its folder holds it finished."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.config import RunConfig
from mgtl_tf.reproduction.versions import Versions
from mgtl_tf.utils.atomic_io import atomic_write, naming_write_errors
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json

# Where things lie and how often they are shown decides no weight.
_FREE = (
    "data_dir",
    "data_cache",
    "feature_cache",
    "cache",
    "log_every",
    "retrieval_pictures",
)
# Folders are no settings, and precision is recorded of every run.
_UNSAID = ("data_dir: ", "data_cache: ", "feature_cache: ", "dtype_policy: ")


@dataclass(frozen=True)
class Run:
    """A config, seed and data included, to be trained into a folder."""

    folder: Path
    config: RunConfig

    @property
    def name(self) -> str:
        """Such as with_cmi-seed0."""
        return self.folder.name

    @property
    def row(self) -> str:
        """The key of its row: of a search's run its name."""
        return self.name.removesuffix(f"-seed{self.config.train.seed}")

    @property
    def is_trained(self) -> bool:
        """Whether its end was reached: the report is written last."""
        return (self.folder / "report" / "report.html").is_file()

    @property
    def has_begun(self) -> bool:
        """Whether there is a run, finished or not."""
        return (self.folder / "config.json").is_file()

    @property
    def changes(self) -> tuple[str, ...]:
        """How its config differs from the paper's: "name: theirs -> ours".

        Of the file of VGG-16's weights the name alone: it is published.
        """
        weights = Path(self.config.train.backbone_weights).name
        found = RunConfig().differences(
            self.config.replace(backbone_weights=weights)
        )
        return tuple(text for text in found if not text.startswith(_UNSAID))

    @property
    def made_with(self) -> Versions | None:
        """What it was begun with; None: unknown.

        Raises:
            UserError: for a damaged study.json.
        """
        path = self.folder / "study.json"
        return (
            read_json(path, Versions, "remove it") if path.is_file() else None
        )

    def is_finished(self, versions: Versions, any_code: bool = False) -> bool:
        """Whether the folder holds this very run, trained to its end.

        Args:
            versions: what it would be made with now.
            any_code: accepts a run of other code.

        Raises:
            UserError: where the folder holds a run of another config, of
                other data or (unless `any_code`) of other code.
        """
        if not self.has_begun:
            return False
        saved = RunConfig.load(self.folder)
        fields = {**vars(saved.model), **vars(saved.data), **vars(saved.train)}
        free = {name: fields[name] for name in _FREE}
        if self.config.train.dtype_policy == "auto":
            free["dtype_policy"] = saved.train.dtype_policy
        made = self.made_with
        if different := saved.differences(self.config.replace(**free)):
            raise self._other(f"another config ({'; '.join(different)})")
        if made and made.data != versions.data:
            raise self._other("other data")
        if not any_code and (made is None or made.code != versions.code):
            raise self._other(
                "another version of the code (any_code accepts it)"
            )
        return self.is_trained

    def _other(self, what: str) -> UserError:
        return UserError(
            f"{self.folder}: holds a run of {what}; move it away, or use"
            " another folder of studies"
        )

    def sign(self, versions: Versions) -> None:
        """Writes what the run is begun with, unless it has begun.

        Raises:
            UserError: where the folder cannot be written.
        """
        if self.has_begun:
            return
        with naming_write_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(dataclasses.asdict(versions))
        atomic_write(self.folder / "study.json", text + "\n")


def code_versions(runs: list[Run]) -> list[str]:
    """The code that the runs were begun with, each version once."""
    made = [run.made_with for run in runs if run.has_begun]
    return sorted({m.code if m else "unknown" for m in made})
