"""An engine on disk: INDEX/engines/NAME, tied to its gallery."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.retrieval.ann.faiss_indexes import SearchSettings
from mgtl_tf.retrieval.galleries.checksums import (
    BlockChecksums,
    block_checksums,
    check_blocks,
)
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.utils.atomic_io import ENGINE_JSON, INDEX_JSON, atomic_write
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json, sealed_text
from mgtl_tf.utils.plain_files import quoted

FAISS_FILE = "index.faiss"
"""What FAISS wrote."""

_FORMAT = 3
_CHECKED_ROWS = 1024


@dataclass(frozen=True)
class StoredEngine:
    """What engine.json says.

    Attributes:
        engine: its name.
        gallery: `gallery_fingerprint` of the gallery that it was built of.
        files: checksums of what FAISS wrote.
        settings: how much of it a search looks at.
        measured: its recall beside exact search's.
        memory: bytes, in all and of each place.
    """

    engine: str
    gallery: dict[str, Any]
    files: dict[str, BlockChecksums]
    settings: SearchSettings
    measured: dict[str, float]
    memory: dict[str, int]


def engine_folder(index: Index, name: str) -> Path:
    """Where an engine of this gallery lies."""
    return index.folder / "engines" / name


def gallery_fingerprint(index: Index) -> dict[str, Any]:
    """What tells this gallery from any other, and from its own past.

    The checksum of index.json, which holds those of all its files, and one
    of 1,024 descriptors as they are now.
    """
    descriptors = index.descriptors
    rows = np.linspace(0, len(descriptors) - 1, _CHECKED_ROWS).astype(int)
    some = np.ascontiguousarray(descriptors[np.unique(rows)], "<f4")
    manifest = index.folder / INDEX_JSON
    text = manifest.read_bytes() if manifest.is_file() else b""
    return {
        "index_json": hashlib.sha256(text).hexdigest(),
        "shape": list(descriptors.shape),
        "descriptors": hashlib.sha256(some.tobytes()).hexdigest(),
    }


def write_engine(
    folder: Path, index: Index, details: Mapping[str, Any]
) -> None:
    """Writes engine.json beside index.faiss.

    Args:
        folder: where index.faiss is already.
        index: the gallery that it was built of.
        details: what else engine.json says.

    Raises:
        UserError, OSError: where the disk does not take it.
    """
    checksums = block_checksums(folder / FAISS_FILE)
    content = {
        "format": _FORMAT,
        "gallery": gallery_fingerprint(index),
        "files": {FAISS_FILE: dataclasses.asdict(checksums)},
        **details,
    }
    atomic_write(folder / ENGINE_JSON, sealed_text(content))


def read_engine(index: Index, name: str) -> dict[str, Any]:
    """What engine.json says, after its files were compared with it.

    Raises:
        UserError: where the engine is missing, damaged, or of another
            gallery than this one.
    """
    folder = engine_folder(index, name)
    remedy = (
        f"python -m experiments.index --output_dir={index.folder}"
        f" --engine={name}"
    )
    if not (folder / ENGINE_JSON).is_file():
        raise UserError(
            f"--engine={name}: --gallery={index.folder} has none; build it:"
            f" {remedy}"
        )
    path, ending = folder / ENGINE_JSON, f"build it: {remedy}"
    stored = read_json(path, StoredEngine, ending, sealed=True, version=_FORMAT)
    if stored.gallery != gallery_fingerprint(index):
        raise UserError(
            f"{folder}: was built for other descriptors than"
            f" --gallery={index.folder} has now; build it again: {remedy}"
        )
    path = folder / FAISS_FILE
    recorded = stored.files.get(FAISS_FILE, BlockChecksums(0, ()))
    wrong = check_blocks(path, recorded, everything=False)
    if wrong or stored.engine != name:
        wrong = (wrong or f"is of engine {quoted(stored.engine)}").replace(
            INDEX_JSON, ENGINE_JSON
        )
        raise UserError(f"{path}: {wrong}; {ending}")
    return dataclasses.asdict(stored)
