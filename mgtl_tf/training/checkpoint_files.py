"""The files of a run's checkpoints: which are finished, their list, removal."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from pathlib import Path

from mgtl_tf.utils.atomic_io import atomic_write, sync

_NAME = re.compile(r"ckpt-(\d+)")


def finished(folder: Path) -> list[Path]:
    """`FOLDER/ckpt-N` of the list, or of all files without one; by number."""
    listed = folder / "checkpoint"
    try:
        # A pipe would be waited for.
        text = listed.read_text(errors="replace") if listed.is_file() else ""
    except OSError:
        text = ""
    names = {m.group() for m in _NAME.finditer(text)}
    names = names or {path.stem for path in folder.glob("ckpt-*.index")}
    paths = [folder / name for name in names if _NAME.fullmatch(name)]
    return sorted(paths, key=number_of)


def number_of(path: Path) -> int:
    """N of `FOLDER/ckpt-N`."""
    return int(path.name.partition("-")[2])


def highest_number(folder: Path) -> int:
    """The highest N of any file, finished or not; 0 where there is none."""
    found = map(_NAME.match, (p.name for p in folder.glob("ckpt-*")))
    return max((int(m.group(1)) for m in found if m), default=0)


def write_list(folder: Path, checkpoints: Collection[Path]) -> None:
    """Writes the manager's list, which may be damaged or name damaged ones."""
    if not checkpoints:
        return
    names = [path.name for path in sorted(checkpoints, key=number_of)]
    lines = [f'model_checkpoint_path: "{names[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
    lines += ["all_model_checkpoint_timestamps: 1.0" for _ in names]
    atomic_write(folder / "checkpoint", "\n".join(lines) + "\n")


def sync_files(checkpoint: Path) -> None:
    """Waits until a checkpoint's files, and their names, are on the disk."""
    for file in checkpoint.parent.glob(f"{checkpoint.name}.*"):
        sync(file)
    sync(checkpoint.parent)


def remove_others(folder: Path, kept: Collection[str]) -> None:
    """Removes all checkpoints of a folder but these names."""
    found = {m.group() for p in folder.iterdir() if (m := _NAME.match(p.name))}
    for name in found.difference(kept):
        remove(folder, name)


def remove(folder: Path, name: str) -> None:
    """Removes a checkpoint's files, those of an interrupted write included."""
    for path in folder.glob(f"{name}[._]*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
