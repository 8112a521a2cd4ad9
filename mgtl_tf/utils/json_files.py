"""JSON from files: bounded, finite, and of the declared shape, or refused.

What a file should hold is declared as a dataclass or a type; pydantic
compares it, without conversions: "3" is no number and true no count.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import (
    UnfitFileError,
    damaged,
    quoted,
    read_bytes,
)

T = TypeVar("T")

LARGEST = 2**26
"""Most bytes of a JSON file, unless the caller says otherwise."""

_DIGITS = 20
_SEAL = "sha256"
# Python keeps each byte of a file name that is not UTF-8 as a lone surrogate,
# which pydantic does not read: it passes as a private character.
_SHIFT = 0x10FF80 - 0xDC80
_LONE = re.compile("[\udc80-\udcff]")
_PRIVATE = re.compile("[\U0010ff80-\U0010ffff]")


def read_json(
    path: Path | str,
    shape: type[T],
    remedy: str,
    *,
    sealed: bool = False,
    version: int | None = None,
    largest: int = LARGEST,
    error: type[UserError] = UserError,
) -> T:
    """A JSON file as a value of the declared shape.

    Args:
        path: of the file.
        shape: a dataclass, or a type such as `dict[str, int]`.
        remedy: ends the message.
        sealed: whether the checksum of `sealed_text` is compared.
        version: what its key "format" must say; None: anything.
        largest: most bytes that are read.
        error: the type that is raised.

    Raises:
        UserError: naming the file, what is wrong and the remedy.
    """
    try:
        content = read_bytes(path, largest)
        return parse_json(content, shape, sealed=sealed, version=version)
    except UnfitFileError as reason:
        raise damaged(path, reason, remedy, error) from reason


def parse_json(
    content: bytes | str,
    shape: type[T],
    *,
    sealed: bool = False,
    version: int | None = None,
    finite: bool = True,
) -> T:
    """JSON text as a value of the declared shape.

    Args:
        content: the text, as UTF-8 where it is bytes.
        shape, sealed, version: as of `read_json`.
        finite: whether NaN and Infinity are refused.

    Raises:
        UnfitFileError: for text that is not JSON, nested deeper than 100,
            names a key twice, holds a number that is not finite or has over
            20 digits, does not match its checksum, or is of another shape.
    """
    declared: Any = shape
    value = _value(content, finite)
    if version is not None:
        _require_version(value, version)
    if sealed:
        _require_seal(value)
    try:
        # Lone surrogates are written as escapes.
        lone = (
            b"\\ud" in content
            if isinstance(content, bytes)
            else "\\ud" in content
        )
        if lone:
            content = json.dumps(_shift(value, _LONE, _SHIFT))
        # In its JSON mode a list may become a tuple, but text no number.
        found = _adapter(declared).validate_json(content, strict=True)
        return _shift(found, _PRIVATE, -_SHIFT) if lone else found
    except ValidationError as error:
        raise UnfitFileError(_first(error)) from error
    except RecursionError as error:
        raise UnfitFileError("nested too deeply") from error


def sealed_text(content: Mapping[str, Any]) -> str:
    """A JSON object as text that carries its own checksum."""
    sealed = {**content, _SEAL: _checksum(content)}
    return json.dumps(sealed, indent=1) + "\n"


def _shift(value: Any, characters: re.Pattern[str], shift: int) -> Any:
    """A value with these characters of all its texts shifted."""

    def inner(part: Any) -> Any:
        return _shift(part, characters, shift)

    if isinstance(value, str):
        return characters.sub(lambda m: chr(ord(m[0]) + shift), value)
    if isinstance(value, dict):
        return {inner(name): inner(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(inner(part) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value) if f.init]
        changed = {name: inner(getattr(value, name)) for name in fields}
        return dataclasses.replace(value, **changed)
    return value


@functools.cache
def _adapter(shape: Any) -> TypeAdapter:
    return TypeAdapter(shape)


def _value(content: bytes | str, finite: bool) -> Any:
    try:
        text = content if isinstance(content, str) else content.decode()
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_number if finite else float,
            parse_float=_finite if finite else float,
            parse_int=_integer,
        )
    except UnicodeDecodeError as error:
        raise UnfitFileError(f"not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise UnfitFileError("nested too deeply") from error
    except json.JSONDecodeError as error:
        raise UnfitFileError(f"not valid JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise UnfitFileError(f"names {quoted(twice)} twice")
    return found


def _no_number(text: str) -> float:
    raise UnfitFileError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if abs(value) == float("inf"):
        raise UnfitFileError(f"{quoted(text)} is too large a number")
    return value


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise UnfitFileError(f"a number of {len(text):,} digits")
    return int(text)


def _require_version(value: Any, version: int) -> None:
    found = value.get("format") if isinstance(value, dict) else None
    if found != version or isinstance(found, bool):
        raise UnfitFileError(
            f"of format {quoted(found)}, this version reads {version}"
        )


def _require_seal(value: Any) -> None:
    if not isinstance(value, dict) or _SEAL not in value:
        raise UnfitFileError("holds no checksum of its own")
    content = {name: v for name, v in value.items() if name != _SEAL}
    if value[_SEAL] != _checksum(content):
        raise UnfitFileError("not what it was written as: its checksum differs")


def _checksum(content: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(content, sort_keys=True)
    except RecursionError as error:
        raise UnfitFileError("nested too deeply") from error
    return hashlib.sha256(text.encode()).hexdigest()


def _first(found: ValidationError) -> str:
    error = found.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, error["loc"]))[:80]
    what = error["msg"][0].lower() + error["msg"][1:]
    if error["type"] == "missing":
        return f"lacks {place}"
    if error["type"] == "json_invalid":
        return what.replace("invalid JSON", "not valid JSON")[:160]
    where = f"{place}={quoted(error['input'])}: " if place else ""
    return f"{where}{what}"
