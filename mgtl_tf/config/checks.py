"""Checks that every config record makes of its own fields."""

from __future__ import annotations

import dataclasses
import math
import typing
from typing import Any

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import QUOTED


def check_fields(config: Any) -> None:
    """Refuses a value of the wrong type, not finite, or not a choice.

    Raises:
        UserError: naming the field, its value and what it must be.
    """
    hints = typing.get_type_hints(type(config))
    for f in dataclasses.fields(config):
        value, hint = getattr(config, f.name), hints[f.name]
        if not _fits(value, hint):
            raise refused(config, f.name, _describe(hint))
        choices = f.metadata["choices"]
        if choices and value not in choices:
            raise refused(config, f.name, "one of " + ", ".join(choices))


def _fits(value: Any, hint: Any) -> bool:
    if typing.get_origin(hint) is tuple:
        kinds = typing.get_args(hint)
        return (
            isinstance(value, tuple)
            and len(value) == len(kinds)
            and all(_fits(v, k) for v, k in zip(value, kinds, strict=True))
        )
    if hint is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        kinds = typing.get_args(hint)
        return f"{len(kinds)} values of type {kinds[0].__name__}"
    return (
        f"a finite {hint.__name__}" if hint is float else f"a {hint.__name__}"
    )


def require_positive(config: Any, *names: str) -> None:
    """Refuses fields that are zero or less.

    Raises:
        UserError: naming the first such field and its value.
    """
    for name in names:
        if getattr(config, name) <= 0:
            raise refused(config, name, "more than 0")


def refused(config: Any, name: str, remedy: str) -> UserError:
    """The error about a field: its flag, its value, what it must be."""
    value = str(getattr(config, name))
    shown = value if len(value) <= QUOTED else value[:QUOTED] + "..."
    return UserError(f"--{name}={shown}: must be {remedy}")
