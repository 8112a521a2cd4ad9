"""The folders of a run's checkpoints: `KIND-STEP`, again `KIND-STEP.1`."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path


def found(folder: Path, kind: str) -> list[Path]:
    """Checkpoints of a kind by their names alone, oldest first."""
    name = re.compile(rf"{kind}-\d+(\.\d+)?")
    folders = [p for p in folder.glob(f"{kind}-*") if name.fullmatch(p.name)]
    return sorted(folders, key=_order)


def step_of(folder: Path) -> int:
    """The step after which a checkpoint was written."""
    return _order(folder)[0]


def new_folder(folder: Path, kind: str, step: int) -> Path:
    """A name that no checkpoint has, and that is the newest of its step.

    Replacing a folder takes two renames, between which a kill leaves
    neither the old one nor the new one.
    """
    name = f"{kind}-{step:08d}"
    same = [_order(f) for f in found(folder, kind) if step_of(f) == step]
    return folder / (f"{name}.{same[-1][1] + 1}" if same else name)


def discard(folder: Path) -> None:
    """Removes a checkpoint; one half removed never has a final name."""
    hidden = folder.with_name(f".{folder.name}.old")
    os.replace(folder, hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _order(folder: Path) -> tuple[int, int]:
    """Step, and how often the step was written before."""
    step, _, again = folder.name.partition("-")[2].partition(".")
    return int(step), int(again or 0)
