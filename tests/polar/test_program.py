"""Exit statuses and single lines of every program, whatever goes wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = '''"""A program that fails as told."""
from absl import flags
from polar.program import run

class Known(Exception):
    pass

_HOW = flags.DEFINE_string("how", "", "how to fail")

def main(argv):
    if _HOW.value == "usage":
        raise flags.Error("too many arguments")
    if _HOW.value == "known":
        raise Known("data.csv, row 3: no number;\\n  mend it")
    if _HOW.value == "argument":
        raise Known("how=argument: must be another")
    if _HOW.value == "file":
        open("/nowhere/file.txt")
    if _HOW.value == "nameless":
        raise OSError("16 requested and 0 written")
    if _HOW.value == "number":
        raise OSError(122, "Disk quota exceeded")
    if _HOW.value == "print":
        print("said")
    if _HOW.value == "interrupt":
        raise KeyboardInterrupt
    if _HOW.value == "bug":
        raise ZeroDivisionError("a mistake of ours")
    return 3 if _HOW.value == "status" else None

if __name__ == "__main__":
    run(main, errors=(Known,))
'''


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "failing.py"
    path.write_text(PROGRAM)

    def run(*arguments, stdout=subprocess.PIPE):
        return subprocess.run(
            [sys.executable, path, *arguments],
            env={"PYTHONPATH": str(ROOT)},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    return run


@pytest.mark.parametrize(
    ("argument", "status", "said"),
    [
        ("--how=usage", 2, "too many arguments"),
        ("--hou=known", 2, "hou"),
        ("--how=known", 1, "data.csv, row 3: no number; mend it"),
        ("--how=argument", 1, "error: --how=argument: must be another"),
        ("--how=file", 1, "/nowhere/file.txt: No such file"),
        ("--how=nameless", 1, "16 requested and 0 written"),
        ("--how=number", 1, "Disk quota exceeded"),
        ("--how=interrupt", 130, "interrupted"),
    ],
)
def test_one_line_and_the_status(call, argument, status, said):
    result = call(argument)
    assert result.returncode == status
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    assert said in result.stderr


def test_done_and_own_status(call):
    done = call()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert call("--how=status").returncode == 3


def test_a_full_disk_under_its_output_is_one_line(call):
    with open("/dev/full", "w") as full:
        result = call("--how=print", stdout=full)
    assert result.returncode == 1
    assert result.stderr == (
        "error: standard output: cannot be written (No space left on device)\n"
    )


def test_our_own_mistakes_keep_their_traceback(call):
    result = call("--how=bug")
    assert result.returncode not in (0, 2, 130)
    assert "Traceback" in result.stderr


def test_help_has_purpose_and_flags(call):
    result = call("-h")
    assert result.returncode == 0
    assert "A program that fails as told." in result.stdout
    assert "--how: how to fail" in result.stdout


def test_help_whose_reader_leaves_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-m", "polar", "--help"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        program.stdout.close()
        assert program.stderr.read() == b""
