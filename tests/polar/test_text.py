"""Any bytes may be a file's name; no text that holds one may fail or harm."""

import csv
import io
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polar.text import csv_text, defused, shown, spelled

ROOT = Path(__file__).parents[2]
NAMES = st.binary(max_size=40).map(os.fsdecode)
ANY_TEXT = st.text(st.characters(codec=None)) | NAMES


@given(ANY_TEXT)
@example("\udcff.jpg")
@example("\ud800\U0001f600")
def test_spelled_is_utf8_and_leaves_utf8_alone(text):
    result = spelled(text)
    assert result.encode().decode() == result
    try:
        text.encode()
    except UnicodeEncodeError:
        assert result != text
    else:
        assert result == text


@given(st.binary(max_size=40).filter(lambda name: b"\\" not in name))
def test_bytes_come_back(name):
    """The rule that the README gives to programs, written down again."""
    told = spelled(os.fsdecode(name)).encode()
    back = re.sub(
        rb"\\x([89a-f][0-9a-f])",
        lambda found: bytes([int(found.group(1), 16)]),
        told,
    )
    assert back == name


@given(ANY_TEXT)
@example("a\x1b[31m\nerror: all is lost\r\x9b2J\u202egpj.exe\u2028")
def test_shown_is_one_line_and_commands_nothing(text):
    result = shown(text)
    assert result.encode().decode() == result
    assert len(result.splitlines()) <= 1
    kinds = {unicodedata.category(char) for char in result if char.isascii()}
    assert "Cc" not in kinds
    turning = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    controls = {chr(code) for code in (*range(32), *range(0x7F, 0xA0))}
    assert not set(result) & (turning | controls)


def test_plain_names_are_shown_as_they_are():
    for name in ("Zürich 12.jpg", "日本\u3000橋.png", "نمی\u200cخواهم", "👩‍🚒"):
        assert shown(name) == spelled(name) == name


ROWS = st.lists(
    st.lists(
        st.none() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
        min_size=2,
        max_size=4,
    ),
    max_size=4,
)


@given(ROWS, st.booleans())
@example([["=1+1", -7.44], ["+1", "-1"], ["@a", "\tb"], ["\rc", "\nd"]], False)
def test_csv_reads_back(rows, raw):
    """By Python's own reader; formulas bear an apostrophe unless left raw."""
    text = csv_text(rows, raw)
    text.encode()
    read = list(csv.reader(io.StringIO(text, newline="")))
    for told, row in zip(read, rows, strict=True):
        for cell, value in zip(told, row, strict=True):
            if isinstance(value, str):
                formula = value[:1] in tuple("=+-@\t\r\n＝＋－＠")
                mark = "'" if formula and not raw and value else ""
                assert cell == mark + spelled(value)
            elif value is not None:
                assert float(cell) == value
            else:
                assert cell == ""


def test_defused():
    assert defused("=cmd|' /C calc'!A0") == "'=cmd|' /C calc'!A0"
    assert defused("a=b") == "a=b"
    assert defused("") == ""


PROGRAM = '''"""Tells a name."""
import os
from absl import logging
from polar.program import run, tell, tell_done

NAME = os.fsdecode(b"a\\xff\\x1b[31m\\nb.jpg")

def main(argv):
    print(NAME, "\\N{DEGREE SIGN}")
    tell("warning: " + NAME)
    tell_done(NAME)
    logging.warning("%s: damaged", NAME)
    raise ValueError(f"{NAME}: lost")

if __name__ == "__main__":
    run(main, errors=(ValueError,))
'''


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "utf-8:strict"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C"},
    ],
    ids=lambda environment: " ".join(environment.values()),
)
def test_a_program_tells_any_name_in_any_locale(tmp_path, environment):
    (tmp_path / "telling.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, tmp_path / "telling.py"],
        env={"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == rb"a\xff\x1b[31m\nb.jpg"
    lines = done.stderr.decode().splitlines()
    name = r"a\xff\x1b[31m\nb.jpg"
    assert lines[0] == f"warning: {name}"
    assert lines[1].endswith(f"] {name}: damaged")
    assert lines[2] == r"error: a\xff\x1b[31m b.jpg: lost"
    assert len(lines) == 3
