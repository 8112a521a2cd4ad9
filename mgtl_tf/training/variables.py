"""Variables to files and back: one to one, by name and shape."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mgtl_tf.training.sealed import DamagedError
from mgtl_tf.utils.array_archives import ArrayArchive
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError, damaged

_SHOWN = 3


def variable_names(variables: Sequence[Any], model_name: str) -> list[str]:
    """The variables' Keras paths, without what Keras counts per process.

    The names of models, optimizers and seed generators are numbered by how
    many there were before, which says nothing about what they hold. The
    number in front keeps names apart and in order: paths may repeat.

    Args:
        variables: of a model, or of an optimizer of its variables.
        model_name: `model.name`.
    """
    names = []
    for i, variable in enumerate(variables):
        path = variable.path.partition("/")[2] or variable.path
        path = path.removeprefix(f"{model_name}_")
        path = re.sub(r"(seed_generator)_\d+", r"\1", path)
        names.append(f"{i:05d} {path}")
    return names


def save_variables(
    path: Path, variables: Sequence[Any], model_name: str
) -> None:
    """Writes variables as an uncompressed `.npz` of plain arrays.

    Raises:
        OSError: where it cannot be written.
    """
    names = variable_names(variables, model_name)
    values = map(keras.ops.convert_to_numpy, variables)
    np.savez(path, **dict(zip(names, values, strict=True)))


def read_arrays(
    path: Path, variables: Sequence[Any], model_name: str
) -> dict[str, np.ndarray]:
    """The arrays of `save_variables`, in order.

    Args:
        path: of the file.
        variables: that are to be set: one for each array, of its name and
            shape. All are compared before the first value is read.
        model_name: `model.name`.

    Raises:
        DamagedError: for a file that cannot be read.
        UserError: where an array, or a variable, would be left over; names
            the first few that differ, with their shapes.
    """
    try:
        with ArrayArchive(path) as archive:
            held = [(n, archive.header(n).shape) for n in archive.names]
            _require_fit(path, held, variables, model_name)
            return {name: archive.read(name) for name in archive.names}
    except UnfitFileError as error:
        raise damaged(path, error, "", DamagedError) from error


def _require_fit(
    path: Path,
    held: list[tuple[str, tuple[int, ...]]],
    variables: Sequence[Any],
    model_name: str,
) -> None:
    names = variable_names(variables, model_name)
    shapes = [tuple(v.shape) for v in variables]
    wanted = list(zip(names, shapes, strict=True))
    if wanted != held:
        raise UserError(
            f"{path}: holds {len(held)} variables that do not fit the"
            f" model's {len(wanted)}, {_differences(held, wanted)}; it"
            " belongs to another config"
        )


def assign(variables: Sequence[Any], arrays: dict[str, np.ndarray]) -> None:
    """Sets variables from arrays of `read_arrays`."""
    for variable, array in zip(variables, arrays.values(), strict=True):
        variable.assign(array)


def _differences(held: list, wanted: list) -> str:
    """The first few that only one side has, as `path shape`."""
    # Without their numbers: one layer more would make all after it differ.
    ours, theirs = (
        Counter((name.partition(" ")[2], shape) for name, shape in side)
        for side in (wanted, held)
    )
    lists = {"model": ours - theirs, "file": theirs - ours}
    parts = [
        f"only in the {side}: "
        + ", ".join(f"{name} {shape}" for name, shape in list(only)[:_SHOWN])
        for side, only in lists.items()
        if only
    ]
    return "; ".join(parts) or "the same in another order"
