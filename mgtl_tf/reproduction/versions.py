"""Which code and which data a run is made with, as short hashes."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import mgtl_tf
from mgtl_tf.datasets.records import Dataset, files_digest

_ROOT = Path(mgtl_tf.__file__).parents[1]
_WITHOUT = {"analysis", "export", "reproduction", "retrieval", "serving"}
_LIBRARIES = (
    "tensorflow",
    "keras",
    "numpy",
    "opencv-python-headless",
    "simplejpeg",
    "pillow",
)


@dataclass(frozen=True)
class Versions:
    """Hashes of `code_version` and `data_version`."""

    code: str
    data: str


@functools.cache
def code_version() -> str:
    """A hash of what decides a run's weights and recall.

    Every Python file of `polar` and of the rooms of `mgtl_tf` that make data,
    train and evaluate, and the versions of the libraries that compute there.
    """
    digest = hashlib.sha256()
    files = _ROOT.joinpath("mgtl_tf").rglob("*.py")
    rooms = [p for p in files if p.relative_to(_ROOT).parts[1] not in _WITHOUT]
    for path in sorted([*_ROOT.joinpath("polar").rglob("*.py"), *rooms]):
        name = path.relative_to(_ROOT).as_posix()
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name} {content}\n".encode())
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    return digest.hexdigest()[:16]


def data_version(dataset: Dataset) -> str:
    """A hash of all pairs' ids, positions and file sizes; no folder's name."""
    return files_digest(dataset.train, dataset.validation)
