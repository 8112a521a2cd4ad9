"""Finding a data set's folder, and files of it that lie in another place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mgtl_tf.utils.errors import UserError

# How many folders too many a download may come with.
_LEVELS = 3


def find_root(root: Path, marker: Path, beside: str = "") -> Path:
    """`root`, if it holds the marker file.

    Args:
        root: the folder that was given.
        marker: a file of every such data set, relative to its folder.
        beside: name of a folder that the marker belongs next to, not into.

    Raises:
        UserError: otherwise, with the folder that was probably meant, or
            what to move.
    """
    if (root / marker).is_file():
        return root
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    near = [root.parent, *_folders(root)]
    meant = next((p for p in near if (p / marker).is_file()), None)
    if meant is None:
        require_in_place(root, root / marker)
        raise UserError(f"{root}: holds no {marker}")
    hint = f"did you mean {meant}?"
    if beside and meant.name == beside:
        hint = f"move {meant / marker} to {meant.parent / marker}"
    raise UserError(f"{root}: holds no {marker}; {hint}")


def require_in_place(root: Path, path: Path) -> None:
    """Refuses a folder that lies in another place.

    Args:
        root: the data set's folder.
        path: one of its files; where its folder is missing, it is looked for
            with folders too many or too few around it.

    Raises:
        UserError: where it is found elsewhere, with what to move.
    """
    # os.path's: a name too long for any file is then no folder, not an error.
    if os.path.isdir(path.parent):
        return
    file = path.relative_to(root) if path.is_relative_to(root) else path
    for folder in (root, *_folders(root)):
        for first in range(len(file.parts) - 1):
            found = folder.joinpath(*file.parts[first:])
            if os.path.isfile(found):
                what = str(folder / file.parts[first])
                where = root.joinpath(*file.parts[: first + 1])
                raise _misplaced(path, found, what, where)
    # A file's name alone is little evidence: only the last folder may lack.
    found = path.parent.parent / path.name
    if os.path.isfile(found):
        what = f"the files of {found.parent}"
        raise _misplaced(path, found, what, path.parent)


def _misplaced(path: Path, found: Path, what: str, where: Path) -> UserError:
    return UserError(
        f"{path} is not there, but {found} is; move {what} to {where}"
    )


def _folders(root: Path) -> Iterator[Path]:
    """Folders below a root, nearest first, a few levels deep."""
    level = [root]
    for _ in range(_LEVELS):
        level = [child for folder in level for child in _children(folder)]
        yield from level


def _children(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(e.path) for e in entries if e.is_dir())
    except OSError:
        return []
