"""Folders whose files are listed with their checksums: whole, or known not.

`checksums.json` is written last: {file name: {"bytes": size, "sha256": hex
digest}}. A kill, a full disk, a bad copy or a bad disk then shows before a
single value is read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path

from mgtl_tf.utils.atomic_io import sync
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.fingerprints import Fingerprint, fingerprint, require_same
from mgtl_tf.utils.json_files import read_json
from mgtl_tf.utils.plain_files import UnfitFileError

CHECKSUMS_JSON = "checksums.json"


class DamagedError(UserError):
    """A sealed folder that is not what was written; names file and reason."""


def seal(folder: Path) -> None:
    """Lists a finished folder's files and brings all to the disk.

    Raises:
        OSError: where the disk does not take them.
    """
    listed = {}
    for path in sorted(folder.iterdir()):
        sync(path)
        listed[path.name] = dataclasses.asdict(fingerprint(path))
    checksums = folder / CHECKSUMS_JSON
    checksums.write_text(json.dumps(listed, indent=2) + "\n")
    sync(checksums)
    sync(folder)


def require_whole(
    folder: Path, required: Collection[str], all_files: bool = True
) -> None:
    """Reads the files of a sealed folder and compares them with the list.

    Args:
        folder: that `seal` was given, under any name.
        required: files that the list must name.
        all_files: whether every file of the list is read, or only those.

    Raises:
        DamagedError: for the first file that is missing or not as written.
    """
    listed = read_json(
        folder / CHECKSUMS_JSON, dict[str, Fingerprint], "", error=DamagedError
    )
    for name in required:
        if name not in listed:
            raise DamagedError(f"{folder / CHECKSUMS_JSON}: lacks {name}")
    for name in listed if all_files else required:
        try:
            require_same(folder / name, listed[name])
        except UnfitFileError as error:
            raise DamagedError(f"{folder / name}: {error}") from error
