"""Fields of config records: declared with their flag's help, then checked."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Collection
from dataclasses import field
from typing import Any

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import QUOTED


def setting(
    default: Any,
    text: str,
    choices: Collection[str] = (),
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
) -> Any:
    """A dataclass field that is also a flag.

    Args:
        default: of the field.
        text: the flag's help: its meaning and unit.
        choices: allowed names; empty: any value of the field's type.
        above, least, below: bounds of a number, or of each of several;
            `least` alone is allowed itself.
    """
    bounds = above, least, below
    metadata = {"help": text, "choices": choices, "bounds": bounds}
    return field(default=default, metadata=metadata)


def check_fields(config: Any) -> None:
    """Refuses a value of the wrong type, not finite, out of bounds, unknown.

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
        above, least, below = f.metadata["bounds"]
        numbers = value if isinstance(value, tuple) else (value,)
        if not isinstance(value, str) and not all(
            above < n < below and least <= n for n in numbers
        ):
            raise refused(config, f.name, _interval(above, least, below))


def _interval(above: float, least: float, below: float) -> str:
    low = f"{least:g} or more" if above < least else f"more than {above:g}"
    return low if below == math.inf else f"{low} and below {below:g}"


def _fits(value: Any, hint: Any) -> bool:
    if typing.get_origin(hint) is tuple:
        kinds = typing.get_args(hint)
        return (
            isinstance(value, tuple)
            and len(value) == len(kinds)
            and all(_fits(v, k) for v, k in zip(value, kinds, strict=True))
        )
    if hint in (int, float) and isinstance(value, bool):
        return False
    if hint is float:
        return isinstance(value, (int, float)) and math.isfinite(value)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        kinds = typing.get_args(hint)
        return f"{len(kinds)} values of type {kinds[0].__name__}"
    return f"a{' finite' if hint is float else ''} {hint.__name__}"


def refused(config: Any, name: str, remedy: str) -> UserError:
    """The error about a field: its name, its value, what it must be."""
    value = str(getattr(config, name))
    shown = value if len(value) <= QUOTED else value[:QUOTED] + "..."
    return UserError(f"{name}={shown}: must be {remedy}")
