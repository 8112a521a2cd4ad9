"""Maps on disk, so that all processes look at one copy of the rasters."""

from __future__ import annotations

import dataclasses
import shutil
import typing
from pathlib import Path

import numpy as np

from mgtl_tf.synthetic.town.world import TownMap
from mgtl_tf.utils.array_files import map_array
from mgtl_tf.utils.atomic_io import naming_write_errors
from mgtl_tf.utils.plain_files import UnfitFileError, damaged


def save_map(town: TownMap, folder: Path) -> None:
    """Writes a map; the folder appears when it is complete.

    Args:
        town: the map.
        folder: replaced if it exists.

    Raises:
        UserError: where the disk does not take it.
    """
    partial = folder.with_name(folder.name + ".partial")
    with naming_write_errors(folder):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, value in _flatten("", town).items():
            np.save(partial / f"{name}.npy", value, allow_pickle=False)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)


def load_map(folder: Path) -> TownMap:
    """Opens a map; its rasters stay on disk and are read as needed."""
    return _build(TownMap, "", folder)


def _flatten(prefix: str, value: object) -> dict[str, np.ndarray]:
    """Arrays by dotted name of a dataclass and those inside it."""
    if not dataclasses.is_dataclass(value):
        return {prefix: np.asarray(value)}
    arrays: dict[str, np.ndarray] = {}
    for field in dataclasses.fields(value):
        name = f"{prefix}.{field.name}" if prefix else field.name
        arrays.update(_flatten(name, getattr(value, field.name)))
    return arrays


def _build(kind: typing.Any, prefix: str, folder: Path) -> typing.Any:
    """A dataclass from the files that `_flatten` named."""
    hints = typing.get_type_hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        name = f"{prefix}.{field.name}" if prefix else field.name
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            values[field.name] = _build(hint, name, folder)
            continue
        array = _mapped(folder / f"{name}.npy")
        # A plain view: cv2 and slicing are quicker on it than on a memmap.
        values[field.name] = (
            array.item() if array.ndim == 0 else array.view(np.ndarray)
        )
    return kind(**values)


def _mapped(path: Path) -> np.ndarray:
    try:
        return map_array(path)
    except UnfitFileError as error:
        remedy = f"remove {path.parent} and give the same command again"
        raise damaged(path, error, remedy) from error
