"""All settings of a run, as one value and as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mgtl_tf.config.data import DataConfig
from mgtl_tf.config.model import SYSTEMS, ModelConfig, config_class
from mgtl_tf.config.settings import refused
from mgtl_tf.config.train import TrainConfig
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import parse_json, read_json
from mgtl_tf.utils.plain_files import UnfitFileError, damaged, quoted

_Parts = dict[str, dict[str, Any]]
# Version 1, which had no name, held the settings of every system.
_VERSION = "2-"
_REMEDY = "put back the file that experiments.train wrote"


@dataclass(frozen=True)
class StartRecord:
    """What a run was found to start from; no settings, and no flags.

    Attributes:
        backbone_digest: of the VGG-16 weights that were given to it, SHA-256
            as of `models.backbones.backbone_digest`; empty: random ones, or
            no VGG-16.
    """

    backbone_digest: str = ""

    @property
    def notes(self) -> list[str]:
        """What stands under every table of the run's figures."""
        if not self.backbone_digest:
            return []
        return [f"VGG-16 began with weights of SHA-256 {self.backbone_digest}"]


@dataclass(frozen=True)
class RunConfig:
    """Everything needed to rebuild a run: model, data and training.

    `start` is a record of the run rather than a setting: two configs that
    differ in it are equal.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    start: StartRecord = field(default_factory=StartRecord, compare=False)

    def __post_init__(self) -> None:
        changes = self.data.satellite_changes
        if changes and self.model.satellite_form == "polar":
            remedy = "left out with satellite_form=polar"
            raise refused(self.data, changes[0], remedy)
        if self.model.trains_in_groups:
            self._refuse_one_gradients_settings()

    def _refuse_one_gradients_settings(self) -> None:
        """Groups are trained on whole batches, by a gradient of each."""
        why = f"where parts of system={self.model.system} train in turns"
        if self.train.micro_batch:
            raise refused(self.train, "micro_batch", f"0 {why}")
        if self.train.strategy != "none":
            raise refused(self.train, "strategy", f"none {why}")
        if self.train.sharpness_radius:
            raise refused(self.train, "sharpness_radius", f"0 {why}")

    @classmethod
    def of(cls, **settings: Any) -> RunConfig:
        """The config of fields by name, whichever part they belong to.

        All others have their defaults, which are those of `system`.

        Raises:
            UserError: for a name that is no field, or a refused value.
        """
        parts = {}
        for part, kind in _kinds(settings.get("system")).items():
            own = _names(kind) & settings.keys()
            parts[part] = kind(**{name: settings.pop(name) for name in own})
        if settings:
            raise UserError(f"{min(settings)}: no setting of this system")
        return cls(**parts)

    def replace(self, **changes: Any) -> RunConfig:
        """This config with fields of any of its parts replaced by name.

        Another `system` keeps what both systems have.

        Raises:
            UserError: for a name that is no field, or a refused value.
        """
        settings = {**vars(self.model), **vars(self.data), **vars(self.train)}
        kept = _names(config_class(changes.get("system", self.model.system)))
        for name in _names(type(self.model)) - kept:
            del settings[name]
        made = RunConfig.of(**{**settings, **changes})
        return dataclasses.replace(made, start=self.start)

    def to_json(self) -> str:
        """The config as indented JSON; `from_json` gives an equal value."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, origin: str = "config") -> RunConfig:
        """The config of `to_json`'s text; missing fields take defaults.

        Args:
            text: the JSON.
            origin: the file's name, for error messages.

        Raises:
            UserError: for broken JSON, unknown keys, or refused values.
        """
        try:
            return cls.of_parts(parse_json(text, _Parts), origin)
        except UnfitFileError as error:
            raise damaged(origin, error, _REMEDY) from error

    @classmethod
    def load(cls, run_dir: Path | str) -> RunConfig:
        """The config saved in a run folder.

        Raises:
            UserError: where the folder has no readable config.json.
        """
        path = Path(run_dir) / "config.json"
        if not path.is_file():
            raise UserError(
                f"run_dir={run_dir}: holds no config.json; give the folder"
                " that experiments.train wrote"
            )
        return cls.of_parts(read_json(path, _Parts, _REMEDY), str(path))

    @classmethod
    def of_parts(cls, parts: _Parts, origin: str) -> RunConfig:
        """The config of plain values; missing fields take defaults.

        Args:
            parts: fields by name, of "model", "data", "train" and "start".
            origin: the file's name, for error messages.

        Raises:
            UserError: for unknown keys, or refused values.
        """
        kinds = _kinds(parts.get("model", {}).get("system"))
        _refuse_unknown(parts, kinds, origin)
        made = {
            k: _part(kinds[k], v, f"{origin}: {k}") for k, v in parts.items()
        }
        return cls(**made)

    @property
    def network(self) -> str:
        """Names all that decides what a descriptor means but the weights.

        A version, and SHA-256 of the model's config and the crop.
        """
        fields = self.model.identity()
        fields["ground_crop"] = self.data.ground_crop
        text = json.dumps(fields, sort_keys=True)
        return _VERSION + hashlib.sha256(text.encode()).hexdigest()

    def differences(self, other: RunConfig) -> list[str]:
        """Fields in which another config differs, as 'name: a -> b' lines."""
        lines = []
        for part in ("model", "data", "train"):
            mine, theirs = vars(getattr(self, part)), vars(getattr(other, part))
            lines += [
                f"{name}: {mine[name]} -> {theirs[name]}"
                for name in mine
                if name in theirs and mine[name] != theirs[name]
            ]
        return lines


def is_comparable(network: str) -> bool:
    """Whether a `RunConfig.network` was made of the fields of today."""
    return network.startswith(_VERSION)


def _kinds(system: Any) -> dict[str, type]:
    """The record of each part of a run of a system."""
    model = config_class(system)
    return {
        "model": model,
        "data": DataConfig,
        "train": TrainConfig,
        "start": StartRecord,
    }


def _names(kind: type) -> set[str]:
    return {f.name for f in dataclasses.fields(kind)}


def _part(kind: type, data: dict[str, Any], origin: str) -> Any:
    if issubclass(kind, ModelConfig):
        # Older files hold the settings of every system.
        others = set().union(*map(_names, SYSTEMS.values())) - _names(kind)
        data = {k: v for k, v in data.items() if k not in others}
    hints = typing.get_type_hints(kind)
    _refuse_unknown(data, _names(kind), origin)
    values = {
        k: tuple(v)
        if typing.get_origin(hints[k]) is tuple and isinstance(v, list)
        else v
        for k, v in data.items()
    }
    return kind(**values)


def _refuse_unknown(
    data: Collection[str], known: Collection[str], origin: str
) -> None:
    for key in data:
        if key not in known:
            raise UserError(
                f"{origin}: unknown field {quoted(key)}; known:"
                f" {', '.join(sorted(known))}"
            )
