"""A question answered by a module that runs in a process of its own.

What it holds, TensorFlow's memory above all, is given back afterwards.
"""

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
            env={**os.environ, **(environment or {})},
        )
        if done.returncode or not made.is_file():
            said = done.stderr.strip().splitlines() or ["no message"]
            raise UserError(f"{subject} was not found: {said[-1]}")
        return made.read_text()
