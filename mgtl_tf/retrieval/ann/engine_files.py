"""An engine on disk: INDEX/engines/NAME, valid for one state of its gallery."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.ann.faiss_search import SearchSettings
from mgtl_tf.utils.atomic_io import ENGINE_JSON, INDEX_JSON, atomic_write
from mgtl_tf.utils.checksums import (
    BlockChecksums,
    block_checksums,
    check_blocks,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json, sealed_text
from mgtl_tf.utils.plain_files import quoted

FAISS_FILE = "index.faiss"

_FORMAT = 3
_CHECKED_ROWS = 1024


@dataclass(frozen=True)
class EngineDetails:
    """What engine.json holds.

    Attributes:
        engine: its name.
        gallery: `gallery_fingerprint` of the gallery that it was built of.
        files: checksums of what FAISS wrote.
        settings: how much of it a search reads.
        measured: its recall beside exact search's.
    """

    engine: str
    gallery: dict[str, Any]
    files: dict[str, BlockChecksums]
    settings: SearchSettings
    measured: dict[str, float]


def engine_folder(index: Index, name: str) -> Path:
    """Where an engine of this gallery lies."""
    return index.folder / "engines" / name


def gallery_fingerprint(index: Index) -> dict[str, Any]:
    """Identifies a gallery and its state.

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


def write_engine(folder: Path, index: Index, details: dict[str, Any]) -> None:
    """Writes engine.json beside what FAISS wrote.

    Args:
        folder: of both.
        index: the gallery.
        details: the rest of `EngineDetails`.

    Raises:
        UserError, OSError: where it cannot be written.
    """
    checksums = block_checksums(folder / FAISS_FILE)
    content = {
        "format": _FORMAT,
        "gallery": gallery_fingerprint(index),
        "files": {FAISS_FILE: dataclasses.asdict(checksums)},
        **details,
    }
    atomic_write(folder / ENGINE_JSON, sealed_text(content))


def read_engine(index: Index, name: str) -> EngineDetails:
    """What engine.json holds, after its files were compared with it.

    Raises:
        UserError: where the engine is missing, damaged, or of another
            gallery than this one.
    """
    folder = engine_folder(index, name)
    remedy = (
        f"build it: python -m experiments.index --output_dir={index.folder}"
        f" --engine={name}"
    )
    if not (folder / ENGINE_JSON).is_file():
        raise UserError(f"{index.folder}: has no engine {name}; {remedy}")
    details = read_json(
        folder / ENGINE_JSON,
        EngineDetails,
        remedy,
        sealed=True,
        version=_FORMAT,
    )
    if details.gallery != gallery_fingerprint(index):
        raise UserError(
            f"{folder}: was built for other descriptors than {index.folder} has"
            f" now; {remedy}"
        )
    path = folder / FAISS_FILE
    recorded = details.files.get(FAISS_FILE, BlockChecksums(0, ()))
    wrong = check_blocks(path, recorded, everything=False)
    if details.engine != name:
        wrong = f"is of engine {quoted(details.engine)}"
    if wrong:
        raise UserError(f"{path}: {wrong}; {remedy}")
    return details
