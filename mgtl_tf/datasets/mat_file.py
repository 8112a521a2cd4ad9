"""MATLAB files, read in a process of their own.

SciPy's reader is compiled code that some damaged files crash.
"""

from __future__ import annotations

import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import scipy.io

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError, first_line, open_plain
from polar.parallel import WorkerDiedError, worker_pool

# Most bytes of the table; the published one has 10 million.
_LARGEST = 2**28
_MEMORY = 2**32


def read_mat(path: Path, fields: Sequence[str]) -> dict[str, Any]:
    """Fields of a MATLAB file, as arrays, dicts, text and numbers.

    Args:
        path: of the file.
        fields: names; those that it lacks are left out.

    Raises:
        UserError: where it cannot be read.
    """
    reason: object = "it is damaged"
    try:
        open_plain(path, _LARGEST).close()
        with worker_pool(1) as pool:
            return pool.submit(_load, path, tuple(fields)).result()
    except WorkerDiedError:
        pass
    except UnfitFileError as error:
        reason = error
    raise UserError(
        f"{path}: not a readable MATLAB file ({reason}); download it again"
    )


def _load(path: Path, fields: tuple[str, ...]) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        with open_plain(path) as file:
            found = scipy.io.loadmat(
                file, simplify_cells=True, variable_names=fields
            )
        return {name: found[name] for name in fields if name in found}
    except Exception as error:  # SciPy raises many kinds on broken files.
        raise UnfitFileError(first_line(error)) from None
