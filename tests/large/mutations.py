"""Changes of files, at random from a seed: damage, and crafted content."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

Change = Callable[[random.Random, bytes, bytes], bytes]
"""From a source of chance, a file's bytes and those of another file of the
same kind, to other bytes."""

_NASTY: list[Any] = [
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    -(2**70),
    0.5,
    1e308,
    "",
    "x",
    "\0",
    "../../etc/passwd",
    "y" * 100_000,
    [],
    {},
    [[]],
    [None] * 1000,
    {"a": {"b": {"c": {}}}},
]
_RAW = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "1" + "0" * 400,
    "-" + "9" * 5000,
    "[" * 100_000,
    '{"a":' * 100_000,
    "[" * 150 + "]" * 150,
    "0x10",
    "'x'",
    '"\\ud800"',
]
_MARK = "@@here@@"


def _cut(rng: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: rng.randrange(len(data))] if data else data


def _flip(rng: random.Random, data: bytes, _: bytes) -> bytes:
    changed = bytearray(data)
    for _number in range(rng.choice([1, 1, 1, 8])):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _flip_in_front(rng: random.Random, data: bytes, _: bytes) -> bytes:
    """Where formats keep their headers."""
    return _flip(rng, data[:256], b"") + data[256:]


def _flip_at_the_end(rng: random.Random, data: bytes, _: bytes) -> bytes:
    """Where archives keep their tables."""
    return data[:-256] + _flip(rng, data[-256:], b"")


def _zeros(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    count = min(rng.choice([1, 16, 512, 2**20]), len(data) - start)
    return data[:start] + bytes(count) + data[start + count :]


def _insert(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    added = rng.choice([b"\0", b"\xff\xfe", b'"', b"\n", os.urandom(40)])
    return data[:start] + added + data[start:]


def swapped(_rng: random.Random, _data: bytes, other: bytes) -> bytes:
    """The other file of the same kind."""
    return other


def _mixed(rng: random.Random, data: bytes, other: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + other[start:]


def _long_line(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + b"z" * 10_000_000 + data[start:]


def _quote(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + b'"' + data[start:] + b",x" * 100_000


def _other(rng: random.Random, _data: bytes, _other: bytes) -> bytes:
    return rng.choice([b"", b"\0" * 5000, b"\xff\xd8\xff\xe0", b"[]", b"PK"])


BYTES: list[Change] = [
    _cut,
    _cut,
    _flip,
    _flip,
    _flip_in_front,
    _flip_at_the_end,
    _zeros,
    _insert,
    swapped,
    _mixed,
    _other,
]
"""For files of any kind."""

TEXT: list[Change] = [_long_line, _quote]
"""For lists."""


def crafted_json(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    """A value exchanged, a key removed, doubled or added; its seal renewed."""
    content = json.loads(data)
    sealed = isinstance(content, dict) and "sha256" in content
    sealed = sealed and isinstance(content["sha256"], str)
    if sealed:
        del content["sha256"]
    raw = None
    spot, key = _place(rng, content)
    choice = rng.random()
    if choice < 0.5:
        spot[key] = rng.choice(_NASTY)
    elif choice < 0.7:
        del spot[key]
    elif choice < 0.95:
        raw = rng.choice(_RAW)
        spot[key] = _MARK
    elif isinstance(spot, dict):
        spot["more"] = rng.choice(_NASTY)
    if sealed and raw is None:
        text = json.dumps(content, sort_keys=True)
        content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    text = json.dumps(content)
    return text.replace(f'"{_MARK}"', raw or "").encode()


def _place(rng: random.Random, content: Any) -> tuple[Any, Any]:
    """A random place in nested values: a container, and a key of it."""
    while True:
        keys = list(content) if isinstance(content, dict) else None
        key = rng.choice(keys or range(len(content)))
        inner = content[key]
        if (
            not isinstance(inner, dict | list)
            or not inner
            or rng.random() < 0.2
        ):
            return content, key
        content = inner


def crafted_lines(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The same of a line of a file that holds JSON line by line."""
    lines = data.split(b"\n")
    number = rng.randrange(max(1, len(lines) - 1))
    lines[number] = crafted_json(rng, lines[number], other)
    return b"\n".join(lines)


def in_place_of(path: Path, rng: random.Random) -> str:
    """Puts what is no file where a file was; says what."""
    path.unlink()
    what = rng.choice(["nothing", "a folder", "a pipe", "a loop of links"])
    if what == "a folder":
        path.mkdir()
    elif what == "a pipe":
        os.mkfifo(path)
    elif what == "a loop of links":
        path.symlink_to(path.name)
    return what
