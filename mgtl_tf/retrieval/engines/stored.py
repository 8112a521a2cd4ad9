"""An engine on disk: INDEX/engines/NAME, tied to its gallery."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.errors import UserError
from mgtl_tf.folders import ENGINE_JSON
from mgtl_tf.folders import INDEX_JSON
from mgtl_tf.folders import write_whole
from mgtl_tf.retrieval.checksums import block_checksums
from mgtl_tf.retrieval.checksums import check_blocks
from mgtl_tf.retrieval.index import Index

FAISS_FILE = "index.faiss"
"""What FAISS wrote."""

_FORMAT = 1
_CHECKED_ROWS = 1024


def engine_folder(index: Index, name: str) -> Path:
    """Where an engine of this gallery lies."""
    return index.folder / "engines" / name


def identity(index: Index) -> dict[str, Any]:
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
    content = {
        "format": _FORMAT,
        "gallery": identity(index),
        "files": {FAISS_FILE: block_checksums(folder / FAISS_FILE)},
        **details,
    }
    write_whole(folder / ENGINE_JSON, json.dumps(content, indent=1) + "\n")


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
    content = _content(folder, remedy)
    if content["gallery"] != identity(index):
        raise UserError(
            f"{folder}: was built for other descriptors than"
            f" --gallery={index.folder} has now; build it again: {remedy}"
        )
    for file, recorded in content["files"].items():
        wrong = check_blocks(folder / file, recorded, everything=False)
        if wrong:
            wrong = wrong.replace(INDEX_JSON, ENGINE_JSON)
            raise UserError(f"{folder / file}: {wrong}; build it: {remedy}")
    return content


def _content(folder: Path, remedy: str) -> dict[str, Any]:
    path = folder / ENGINE_JSON
    try:
        content = json.loads(path.read_text())
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']}, not {_FORMAT}")
        for key in ("gallery", "effort", "measured", "memory"):
            dict(content[key])
        dict(content["files"][FAISS_FILE])
        return content
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged ({error}); build it: {remedy}") from (
            error
        )
