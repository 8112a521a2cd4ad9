"""File names that are no UTF-8, through libraries that take only Unicode.

Python keeps each undecodable byte as a lone surrogate, which JSON's escapes
can hold but pydantic does not read. Here they pass as characters of a
private plane.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

_FIRST = 0xDC80
_PRIVATE = 0x10FF80
_LONE = re.compile("[\udc80-\udcff]")
_REPLACED = re.compile("[\U0010ff80-\U0010ffff]")


def is_undecodable(value: Any) -> bool:
    """Whether some text in it holds a byte that is no UTF-8."""
    found = []

    def look(text: str) -> str:
        found.append(_LONE.search(text))
        return text

    _each_text(value, look)
    return any(found)


def replaced(value: Any) -> Any:
    """Such bytes as private characters.

    Args:
        value: of text, lists, dicts and dataclasses; is left as it is.
    """
    shift = _PRIVATE - _FIRST
    return _each_text(
        value, lambda text: _LONE.sub(lambda m: chr(ord(m[0]) + shift), text)
    )


def restored(value: Any) -> Any:
    """What `replaced` was given."""
    shift = _PRIVATE - _FIRST
    return _each_text(
        value,
        lambda text: _REPLACED.sub(lambda m: chr(ord(m[0]) - shift), text),
    )


def _each_text(value: Any, function: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return function(value)
    if isinstance(value, dict):
        return {
            _each_text(name, function): _each_text(inner, function)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)(_each_text(inner, function) for inner in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {
            field.name: _each_text(getattr(value, field.name), function)
            for field in dataclasses.fields(value)
            if field.init
        }
        return dataclasses.replace(value, **changed)
    return value
