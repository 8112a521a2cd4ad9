"""JSON that is damaged, crafted or of another shape is told in one line."""

import dataclasses
import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import parse_json, read_json, sealed_text
from mgtl_tf.utils.plain_files import UnfitFileError, read_bytes


@dataclasses.dataclass(frozen=True)
class _Shape:
    count: int
    rate: float
    size: tuple[int, int]
    rest: dict[str, Any] = dataclasses.field(default_factory=dict)


SOUND = {"count": 3, "rate": 0.5, "size": [2, 4], "rest": {"a": [1]}}

CRAFTED = {
    "empty": (b"", "not valid JSON"),
    "not UTF-8": (b'{"count": "\xff"}', "not UTF-8 at byte 11"),
    "cut off": (b'{"count": 3, "ra', "not valid JSON"),
    "a list": (b"[1]", "should be an object"),
    "deep lists": (b"[" * 100_000, "nested too deeply"),
    "deep objects": (b'{"a":' * 100_000, "nested too deeply"),
    "less deep": (
        b'{"count":3,"rate":1,"size":[2,4],"rest":{"a":'
        + b"[" * 500
        + b"]" * 500
        + b"}}",
        "recursion",
    ),
    "400 digits": (b'{"count":1' + b"0" * 400 + b"}", "401 digits"),
    "5,000 digits": (b'{"count":-' + b"1" * 5000 + b"}", "5,001 digits"),
    "1e999": (b'{"rate": 1e999}', "too large a number"),
    "NaN": (b'{"rate": NaN}', "NaN is no number"),
    "-Infinity": (b'{"rest": {"a": -Infinity}}', "-Infinity is no number"),
    "twice": (b'{"count": 3, "count": 4}', "names 'count' twice"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_text_is_one_line(tmp_path, name):
    content, what = CRAFTED[name]
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_json(path, _Shape, "make it again")
    line = str(error.value)
    assert str(path) in line and what in line and "make it again" in line
    assert len(line) < len(str(path)) + 250 and "\n" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "3"),
        ("count", 3.5),
        ("count", True),
        ("count", None),
        ("rate", "x" * 10_000),
        ("size", [1]),
        ("size", [1, 2, 3]),
        ("size", "12"),
        ("rest", []),
    ],
)
def test_wrong_types_are_named_and_not_converted(name, value):
    with pytest.raises(UnfitFileError, match=name) as error:
        parse_json(json.dumps(SOUND | {name: value}), _Shape)
    assert len(str(error.value)) < 250


def test_a_missing_key_is_named():
    with pytest.raises(UnfitFileError, match="lacks rate"):
        parse_json('{"count": 3, "size": [1, 2]}', _Shape)


def test_a_sound_file_is_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(SOUND))
    wanted = _Shape(3, 0.5, (2, 4), {"a": [1]})
    assert read_json(path, _Shape, "") == wanted


def test_what_is_no_file_is_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b" " * 100)
    for name, what in (
        ("missing", "no such file"),
        ("", "is a folder or device"),
        ("pipe", "is a folder or device"),
        ("large", "more than 50"),
    ):
        with pytest.raises(UserError, match=what):
            read_json(tmp_path / name, _Shape, "", largest=50)


@given(st.data())
def test_a_seal_tells_every_changed_byte(data):
    text = sealed_text(SOUND).encode()
    place = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = text[:place] + bytes([byte]) + text[place + 1 :]
    wanted = parse_json(text, _Shape, sealed=True)
    try:
        assert parse_json(changed, _Shape, sealed=True) == wanted
    except UnfitFileError:
        assert changed != text


def test_text_without_its_seal_is_refused():
    with pytest.raises(UnfitFileError, match="no checksum"):
        parse_json(json.dumps(SOUND), _Shape, sealed=True)


@dataclasses.dataclass(frozen=True)
class _Names:
    folder: str
    files: tuple[str, ...]
    by_name: dict[str, list[int]]


@given(st.binary(max_size=8))
def test_names_that_are_no_utf8_come_back(name):
    text = os.fsdecode(name)
    made = _Names(text, (text, "plain"), {text: [1]})
    written = json.dumps(dataclasses.asdict(made))
    assert parse_json(written, _Names) == made


def test_a_large_limit_takes_no_memory(tmp_path):
    """Bounds of 2^33 bytes are usual; the file's own size is allocated."""
    (tmp_path / "small").write_bytes(b"content")
    assert read_bytes(tmp_path / "small", 2**60) == b"content"
