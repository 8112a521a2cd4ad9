"""A field of a config record: its default, what it means, its choices."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def setting(default: Any, text: str, choices: tuple = ()) -> Any:
    """A dataclass field that is also a flag.

    Args:
        default: of the field.
        text: the flag's help: what it means, its unit.
        choices: of a name; empty: any value of the field's type.
    """
    return field(default=default, metadata={"help": text, "choices": choices})
