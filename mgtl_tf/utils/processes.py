"""Running a module in a process of its own, and the memory of this one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mgtl_tf.utils.errors import UserError


def answer_of(
    module: str,
    question: str,
    subject: str,
    environment: Mapping[str, str] | None = None,
) -> str:
    """What `python -m MODULE QUESTION_FILE ANSWER_FILE` wrote.

    Args:
        module: reads the first file and writes the second.
        question: text of the first.
        subject: what is asked about, for the error.
        environment: variables over this process's own.

    Raises:
        UserError: where it failed, with its last line.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, made = Path(folder, "question"), Path(folder, "answer")
        asked.write_text(question)
        done = subprocess.run(
            [sys.executable, "-m", module, str(asked), str(made)],
            capture_output=True,
            text=True,
            env={**os.environ, "MGTL_TF_LAZY": "1", **(environment or {})},
        )
        if done.returncode or not made.is_file():
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise UserError(f"{subject} was not found: {lines[-1]}")
        return made.read_text()


def forget_resident_peak() -> int:
    """Starts the kernel's record of the largest memory afresh.

    Returns:
        the bytes that are resident now.

    Raises:
        OSError: where the system keeps no such record.
    """
    Path("/proc/self/clear_refs").write_text("5")
    return resident_bytes("VmRSS")


def resident_bytes(name: str) -> int:
    """VmRSS (now), VmHWM (at most, so far) or VmSize of this process.

    Raises:
        OSError: where the system keeps no such record.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])
