"""MATLAB files, read in a process of their own.

    python -m mgtl_tf.datasets.mat_file QUESTION.json ANSWER.json

SciPy's reader is compiled code that some damaged files crash: the process
that asks then lives on.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.plain_files import UnfitFileError, first_line, open_plain
from mgtl_tf.utils.processes import answer_of

_REMEDY = "download it again"
# Most bytes of the table; the published one has 10 million.
_LARGEST = 2**28
_MEMORY = 2**32


@dataclass(frozen=True)
class _Answer:
    """Values by field, or what is wrong."""

    wrong: str
    fields: dict[str, Any]


def read_mat(path: Path, fields: Sequence[str]) -> dict[str, Any]:
    """Fields of a MATLAB file, as lists, dicts, text and numbers.

    Args:
        path: of the file.
        fields: names; those that it lacks are left out.

    Raises:
        UserError: where it cannot be read.
    """
    try:
        open_plain(path, _LARGEST).close()
        question = json.dumps([str(path.absolute()), list(fields)])
        # The process that asks may have put this package in its own path.
        own = {"PYTHONPATH": os.pathsep.join(sys.path)}
        text = answer_of(__spec__.name, question, str(path), own)
        answer = parse_json(text, _Answer, finite=False)
    except UnfitFileError as error:
        raise _unreadable(path, error) from error
    except UserError as error:
        raise _unreadable(path, "it is damaged") from error
    if answer.wrong:
        raise _unreadable(path, answer.wrong)
    return answer.fields


def _unreadable(path: Path, reason: object) -> UserError:
    return UserError(
        f"{path}: not a readable MATLAB file ({reason}); {_REMEDY}"
    )


def _main(asked: str, made: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    path, fields = json.loads(Path(asked).read_text())
    answer: dict[str, Any] = {"wrong": "", "fields": {}}
    try:
        with open_plain(path) as file:
            found = scipy.io.loadmat(
                file, simplify_cells=True, variable_names=fields
            )
        answer["fields"] = {n: found[n] for n in fields if n in found}
        text = json.dumps(answer, default=_plain)
    except Exception as error:  # scipy raises many kinds on broken files
        text = json.dumps({"wrong": first_line(error), "fields": {}})
    Path(made).write_text(text)


def _plain(value: Any) -> Any:
    """Of arrays, NumPy's numbers and what JSON does not know."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)


if __name__ == "__main__":
    _main(*sys.argv[1:])
