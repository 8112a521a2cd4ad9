"""All settings of a run, as one value and as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mgtl_tf.config.data import DataConfig
from mgtl_tf.config.model import ModelConfig
from mgtl_tf.config.train import TrainConfig
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import parse_json, read_json
from mgtl_tf.utils.plain_files import UnfitFileError, damaged, quoted

_Parts = dict[str, dict[str, Any]]
_REMEDY = "put back the file that experiments.train wrote"


@dataclass(frozen=True)
class RunConfig:
    """Everything needed to rebuild a run: model, data and training."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def replace(self, **changes: Any) -> RunConfig:
        """This config with fields of any of its parts replaced by name.

        Raises:
            UserError: for a name that is no field, or a refused value.
        """
        parts = {}
        for part in dataclasses.fields(self):
            value = getattr(self, part.name)
            own = {f.name for f in dataclasses.fields(value)}
            mine = {k: changes.pop(k) for k in list(changes) if k in own}
            parts[part.name] = dataclasses.replace(value, **mine)
        if changes:
            raise UserError(f"unknown config field: {sorted(changes)[0]}")
        return RunConfig(**parts)

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
                f"--run_dir={run_dir}: holds no config.json; give the folder"
                " that experiments.train wrote"
            )
        return cls.of_parts(read_json(path, _Parts, _REMEDY), str(path))

    @classmethod
    def of_parts(cls, parts: _Parts, origin: str) -> RunConfig:
        """The config of plain values; missing fields take defaults.

        Args:
            parts: fields by name, of "model", "data" and "train".
            origin: the file's name, for error messages.

        Raises:
            UserError: for unknown keys, or refused values.
        """
        kinds = {"model": ModelConfig, "data": DataConfig, "train": TrainConfig}
        _refuse_unknown(parts, kinds, origin)
        made = {
            k: _part(kinds[k], v, f"{origin}: {k}") for k, v in parts.items()
        }
        return cls(**made)

    @property
    def network(self) -> str:
        """Names all that decides what a descriptor means but the weights.

        SHA-256 of the model's config and the crop, in hexadecimal digits.
        """
        fields = dataclasses.asdict(self.model)
        fields["ground_crop"] = self.data.ground_crop
        text = json.dumps(fields, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, other: RunConfig) -> list[str]:
        """Fields in which another config differs, as 'name: a -> b' lines."""
        lines = []
        for part in dataclasses.fields(self):
            mine, theirs = getattr(self, part.name), getattr(other, part.name)
            for f in dataclasses.fields(mine):
                a, b = getattr(mine, f.name), getattr(theirs, f.name)
                if a != b:
                    lines.append(f"{f.name}: {a} -> {b}")
        return lines


def _part(kind: type, data: Any, origin: str) -> Any:
    names = {f.name: f for f in dataclasses.fields(kind)}
    _refuse_unknown(data, names, origin)
    hints = typing.get_type_hints(kind)
    values = {
        k: tuple(v)
        if typing.get_origin(hints[k]) is tuple and isinstance(v, list)
        else v
        for k, v in data.items()
    }
    return kind(**values)


def _refuse_unknown(data: Mapping, known: Mapping, origin: str) -> None:
    for key in data:
        if key not in known:
            raise UserError(
                f"{origin}: unknown field {quoted(key)}; known:"
                f" {', '.join(known)}"
            )
