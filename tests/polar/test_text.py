"""Any bytes may be a file's name; no text that holds one may fail or harm."""

import csv
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polar.text import csv_text, printable, utf8_text

ROOT = Path(__file__).parents[2]
NAMES = st.binary(max_size=40).map(os.fsdecode)
ANY_TEXT = st.text(st.characters(codec=None)) | NAMES


@given(ANY_TEXT)
@example("\udcff.jpg")
@example("\ud800\U0001f600")
def test_utf8_text_changes_only_what_is_no_utf8(text):
    result = utf8_text(text)
    assert result.encode().decode() == result
    lone = any("\ud800" <= char <= "\udfff" for char in text)
    assert (result != text) == lone


@given(st.binary(max_size=40).filter(lambda name: b"\\" not in name))
def test_bytes_come_back(name):
    """By the rule that the documentation gives to programs."""
    written = utf8_text(os.fsdecode(name)).encode()
    back = re.sub(
        rb"\\x([89a-f][0-9a-f])",
        lambda found: bytes([int(found.group(1), 16)]),
        written,
    )
    assert back == name


@given(ANY_TEXT)
@example("a\x1b[31m\nerror: all is lost\r\x9b2J\u202egpj.exe\u2028")
def test_printable_text_is_one_line_and_commands_nothing(text):
    result = printable(text)
    assert result.encode().decode() == result
    assert len(result.splitlines()) <= 1
    turning = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    controls = {chr(code) for code in (*range(32), *range(0x7F, 0xA0))}
    assert not set(result) & (turning | controls)


def test_plain_names_stay_as_they_are():
    for name in ("Zürich 12.jpg", "日本\u3000橋.png", "نمی\u200cخواهم", "👩‍🚒"):
        assert printable(name) == utf8_text(name) == name


CELLS = st.none() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT


@settings(max_examples=60)
@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=4), st.booleans()
)
@example([["=1+1", -7.44], ["+1", "-1"], ["@a", "\tb"], ["\rc", "\nd"]], False)
@example([[None, 2**53 + 1], ["=cmd|' /C calc'!A0", "a=b"]], False)
def test_csv_reads_back(rows, raw):
    """By Python's own reader; formulas bear an apostrophe unless left raw."""
    text = csv_text(rows, raw)
    text.encode()
    read = list(csv.reader(io.StringIO(text, newline="")))
    for cells, row in zip(read, rows, strict=True):
        for cell, value in zip(cells, row, strict=True):
            if isinstance(value, str):
                formula = value[:1] in tuple("=+-@\t\r\n＝＋－＠")
                mark = "'" if formula and not raw and value else ""
                assert cell == mark + utf8_text(value)
            else:
                assert cell == ("" if value is None else str(value))


PROGRAM = '''"""Prints a name."""
import os
from absl import logging
from polar.program import print_stderr, print_stdout, run

NAME = os.fsdecode(b"a\\xff\\x1b[31m\\nb.jpg")

def main(argv):
    print(NAME, "\\N{DEGREE SIGN}")
    print_stderr("warning: " + NAME)
    print_stdout(NAME)
    logging.warning("%s: damaged", NAME)
    raise ValueError(f"{NAME}: lost")

if __name__ == "__main__":
    run(main, errors=(ValueError,))
'''


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "utf-8:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C"},
    ],
    ids=lambda environment: " ".join(environment.values()),
)
def test_a_program_prints_any_name_in_any_locale(tmp_path, environment):
    (tmp_path / "printing.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, tmp_path / "printing.py"],
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
