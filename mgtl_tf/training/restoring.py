"""Restoring variables from a checkpoint, once all of it was read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from mgtl_tf.training.progress import VALUE, Progress
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_path import plain_path

_SHOWN = 3  # differing variables that an error lists
_UNREADABLE = (
    tf.errors.OpError,
    IndexError,
    MemoryError,
    RuntimeError,
    ValueError,
)


class DamagedError(UserError):
    """A checkpoint that cannot be read; names it and the reason."""


@contextmanager
def reading(path: Path) -> Iterator[tuple[str, Any]]:
    """A checkpoint's prefix and TensorFlow's reader of it.

    Raises:
        DamagedError: where it cannot be read, also within the context.
    """
    for file in path.parent.glob(f"{path.name}.*"):
        if not file.is_file():  # TensorFlow would wait for a pipe's writer
            raise DamagedError(
                f"{path}: cannot be read ({file.name} is no regular file)"
            )
    try:
        with plain_path(path.parent) as plain:
            prefix = str(plain / path.name)
            yield prefix, tf.train.load_checkpoint(prefix)
    except _UNREADABLE as error:
        line = (str(error).splitlines() or ["unknown"])[0]
        raise DamagedError(f"{path}: cannot be read ({line})") from error


def restore(path: Path, **groups: dict[str, tf.Variable]) -> Progress:
    """Sets all variables of the groups, once the whole file was read.

    Args:
        path: of a checkpoint, without an ending.
        **groups: "model", and of a `last` checkpoint "optimizer": variables
            of `by_path`.

    Raises:
        DamagedError: where it cannot be read.
        UserError: where it does not fit the variables.
    """
    with reading(path) as (prefix, reader):
        shapes = reader.get_variable_to_shape_map()
        _require_fit(path, shapes, groups)
        for name in shapes:
            reader.get_tensor(name)  # compares its checksum
        if "optimizer" in groups:  # a run cannot be resumed without
            reader.get_tensor(f"progress/step{VALUE}")
        status = tf.train.Checkpoint(**groups).read(prefix)
        status.assert_existing_objects_matched().expect_partial()
        return Progress.read(reader)


def by_path(
    holder: keras.Model | keras.optimizers.Optimizer, model: keras.Model
) -> dict[str, tf.Variable]:
    """Variables by their Keras paths, without what Keras counts per process.

    Keras models are no complete object graphs: statistics and random states
    of layers in lists would be missing from the checkpoint.
    """
    found: dict[str, tf.Variable] = {}
    counts: Counter[str] = Counter()
    for variable in holder.variables:
        path = variable.path.partition("/")[2] or variable.path
        path = path.removeprefix(f"{model.name}_")
        path = re.sub(r"(seed_generator)_\d+", r"\1", path)
        again = f"#{counts[path]}" if counts[path] else ""
        found[path + again] = variable.value
        counts[path] += 1
    return found


def _require_fit(
    path: Path,
    shapes: dict[str, list[int]],
    groups: dict[str, dict[str, tf.Variable]],
) -> None:
    ours = {
        f"{group}/{name} {tuple(variable.shape)}"
        for group, variables in groups.items()
        for name, variable in variables.items()
    }
    theirs = {
        # TensorFlow escapes the slashes of a path.
        f"{key.removesuffix(VALUE).replace('.S', '/')} {tuple(shape)}"
        for key, shape in shapes.items()
        if key.partition("/")[0] in groups
    }
    sides = {"model": ours - theirs, "file": theirs - ours}
    differences = [
        f"only in the {side}: {', '.join(sorted(only)[:_SHOWN])}"
        for side, only in sides.items()
        if only
    ]
    if differences:
        raise UserError(
            f"{path}: holds {len(theirs)} variables that do not fit the"
            f" model's {len(ours)}, {'; '.join(differences)}; it belongs to"
            " another config"
        )
