"""Which code and which data a run was made with, as short hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import mgtl_tf
from mgtl_tf.data.records import Dataset

# What can change a trained model or its recall; not pages, tables, serving.
_DECIDES = (
    "config",
    "data",
    "layers",
    "systems",
    "losses.py",
    "nearness.py",
    "metrics.py",
    "training",
    "evaluation.py",
)


def code_version() -> str:
    """A hash of the source files that decide a run's weights and recall."""
    root = Path(mgtl_tf.__file__).parent
    digest = hashlib.sha256()
    for path in _sources(root):
        digest.update(f"{path.relative_to(root)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(root: Path) -> Iterator[Path]:
    for name in _DECIDES:
        path = root / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else ()
        if path.is_file():
            yield path


def data_version(dataset: Dataset) -> str:
    """A hash of a data set's pairs: ids, positions, sizes of their files.

    The folder that it lies in does not matter.

    Raises:
        OSError: for a file that is not there.
    """
    digest = hashlib.sha256()
    for pairs in (dataset.train, dataset.validation):
        digest.update(f"{len(pairs)} pairs\n".encode())
        for pair in pairs:
            sizes = (pair.ground.stat().st_size, pair.aerial.stat().st_size)
            digest.update(f"{pair.id} {pair.position} {sizes}\n".encode())
    return digest.hexdigest()[:16]
