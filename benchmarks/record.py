"""Runs a benchmark, or any program, and keeps what it printed for the docs.

    python -m benchmarks.record polar_transform
    python -m benchmarks.record recall --places=35532 --mining --rounds=1
    python -m benchmarks.record tests/large/test_uploads.py
    python -m benchmarks.record experiments.calibrate --gallery=demo/gallery ...

Writes docs/results/benchmarks/NAME.json: command, date, machine and output,
with a checksum. `python -m experiments.tables --publish` then sets it into
docs/benchmarks.md, or where a page shows it by NAME.
A path is a file of tests, which pytest runs with --run-large; its counts, such
as TRIES, are kept with the command.
"""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

from mgtl_tf.training.environment import describe
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.json_files import sealed_text
from polar.parallel import usable_cores

FOLDER = Path("docs/results/benchmarks")
_COUNTS = ("KILLS", "TRIES", "DAMAGED", "PAIRS", "CROPS", "UPLOADS")


def command_of(words: list[str]) -> list[str]:
    """What is run after `python -m`."""
    name, *rest = words
    if name.endswith(".py"):
        return ["pytest", "-q", "-s", "--run-large", name, *rest]
    return [name if "." in name else f"benchmarks.{name}", *rest]


def file_name(words: list[str]) -> str:
    """Such as recall-places=35532-mining; flags that name paths left out."""
    program = words[0].rpartition("/")[2].removesuffix(".py")
    flags = [word.lstrip("-") for word in words[1:] if "/" not in word]
    return "-".join([program, *flags])


def record(words: list[str]) -> Path:
    """Runs a benchmark; the file that its output went to.

    Raises:
        subprocess.CalledProcessError: where it failed; nothing is written.
    """
    command = command_of(words)
    done = subprocess.run(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        text=True,
    )
    sys.stdout.write(done.stdout)
    done.check_returncode()
    counts = [f"{k}={os.environ[k]}" for k in _COUNTS if k in os.environ]
    machine = describe()
    found = {
        "command": " ".join([*counts, "python -m", *command]),
        "date": datetime.date.today().isoformat(),
        "machine": f"{usable_cores()} cores of {machine['processor']}",
        "output": done.stdout.strip().splitlines(),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{file_name(words)}.json"
    atomic_write(path, sealed_text(found))
    return path


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    try:
        print(record(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"not recorded: {error}") from None
