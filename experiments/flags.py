"""The one reader of FLAGS: config fields as flags, flags as a config."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from absl import flags

from mgtl_tf.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from mgtl_tf.presets import PRESETS, load_preset
from mgtl_tf.presets.systems import system_settings
from mgtl_tf.utils.errors import UserError

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
    for part in parts or _PARTS:
        hints = typing.get_type_hints(part)
        for field in dataclasses.fields(part):
            _define(field, hints[field.name])


def _define(field: Any, hint: Any) -> None:
    default = getattr(field.default, "__name__", field.default)
    text = f"{field.metadata['help']} [paper or default: {default}]"
    choices = field.metadata["choices"]
    if typing.get_origin(hint) is tuple:
        flags.DEFINE_list(field.name, None, text)
    elif choices:
        flags.DEFINE_enum(field.name, None, choices, text)
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
    for part in _PARTS:
        hints = typing.get_type_hints(part)
        for name in hints:
            value = FLAGS[name].value if name in FLAGS else None
            if value is not None:
                given[name] = _typed(name, value, hints[name])
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


def run_config() -> RunConfig:
    """The preset, over it its system's own settings and the given flags.

    Raises:
        flags.IllegalFlagValueError: for a refused value.
    """
    try:
        preset, given = load_preset(FLAGS.preset), given_fields()
        system = given.get("system", preset.model.system)
        own = system_settings(FLAGS.preset, system)
        return preset.replace(**{**own, **given})
    except UserError as error:
        raise flags.IllegalFlagValueError(str(error)) from error
