"""Flags of the config records: one for every field, on top of --preset."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from absl import flags

from mgtl_tf.config import (
    SYSTEMS,
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
)
from mgtl_tf.presets import PRESETS, load_preset
from mgtl_tf.utils.errors import UserError

# Flags that are defined here count as the program's own.
flags.disclaim_key_flags()

FLAGS = flags.FLAGS
_PARTS = (ModelConfig, DataConfig, TrainConfig)


def define_config(*parts: type) -> None:
    """Defines --preset and a flag for every field of the config records.

    Args:
        parts: which records; all three by default. A flag that is not given
            leaves the preset's value.
    """
    flags.DEFINE_enum(
        "preset",
        None,
        list(PRESETS),
        "settings to begin from; every other flag changes one of them",
        required=True,
    )
    for field, hint in _fields(parts or _PARTS):
        _define(field, hint)


def define_fields(*names: str) -> None:
    """Defines the flags of some fields of the config records."""
    for field, hint in _fields(_PARTS):
        if field.name in names:
            _define(field, hint)


def _fields(parts: Iterable[type]) -> Iterator[tuple[Any, Any]]:
    """Fields and their types, each name once: systems share most of theirs."""
    seen = set()
    for part in parts:
        for record in SYSTEMS.values() if part is ModelConfig else [part]:
            hints = typing.get_type_hints(record)
            for field in dataclasses.fields(record):
                if field.name not in seen:
                    seen.add(field.name)
                    yield field, hints[field.name]


def _define(field: Any, hint: Any) -> None:
    default = getattr(field.default, "__name__", field.default)
    text = f"{field.metadata['help']} [paper or default: {default}]"
    choices = field.metadata["choices"]
    if typing.get_origin(hint) is tuple:
        flags.DEFINE_list(field.name, None, text)
    elif choices:
        flags.DEFINE_enum(field.name, None, list(choices), text)
    elif hint is bool:
        flags.DEFINE_bool(field.name, None, text)
    elif hint is int:
        flags.DEFINE_integer(field.name, None, text)
    elif hint is float:
        flags.DEFINE_float(field.name, None, text)
    else:
        flags.DEFINE_string(field.name, None, text)


def given_fields() -> dict[str, Any]:
    """The config fields that were given on the command line.

    Raises:
        UserError: for a list whose values or count do not fit.
    """
    given = {}
    for field, hint in _fields(_PARTS):
        value = FLAGS[field.name].value if field.name in FLAGS else None
        if value is not None:
            given[field.name] = _typed(field.name, value, hint)
    return given


def _typed(name: str, value: Any, hint: Any) -> Any:
    if typing.get_origin(hint) is not tuple:
        return value
    kinds = typing.get_args(hint)
    try:
        return tuple(k(v) for k, v in zip(kinds, value, strict=True))
    except ValueError as error:
        raise UserError(
            f"--{name}={','.join(value)}: give {len(kinds)} values of type"
            f" {kinds[0].__name__}, separated by commas"
        ) from error


def run_config(preset: str | None = None) -> RunConfig:
    """A preset, over it its system's own settings and the given flags.

    Args:
        preset: its name; by default that of --preset.

    Raises:
        flags.IllegalFlagValueError: for a refused value.
    """
    name = preset or FLAGS.preset
    try:
        return load_preset(name, **given_fields())
    except UserError as error:
        raise flags.IllegalFlagValueError(str(error)) from error
