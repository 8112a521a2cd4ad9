"""Building a search engine of a gallery that experiments.index wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mgtl_tf.retrieval.ann import build_engine, require_engine, summary
from mgtl_tf.retrieval.galleries.gallery import Index, load_index
from mgtl_tf.utils.errors import UserError


def require_gallery_engine(
    engine: str,
    backend: str,
    uri: str | None,
    training_gallery: Path | str | None,
) -> None:
    """Refuses, before a gallery is embedded, what `build_gallery_engine` will.

    Raises:
        UserError: for a wrong name, address or training gallery, or a library
            that is missing.
    """
    require_engine(engine, backend, uri)
    if training_gallery is None:
        return
    if backend != "faiss" or engine == "exact":
        raise UserError(
            f"--training_gallery={training_gallery}: --backend={backend}"
            f" --engine={engine} learns nothing; leave it out"
        )
    load_index(training_gallery)


def build_gallery_engine(
    gallery: Path | str,
    engine: str,
    backend: str = "faiss",
    uri: str | None = None,
    training_gallery: Path | str | None = None,
    progress: bool = True,
) -> list[str]:
    """Builds an engine of an index, and tells its measured loss and memory.

    Args:
        gallery: folder that experiments.index wrote.
        engine, backend, uri: as of `engines.open_engine`.
        training_gallery: another such folder, of the same model, that FAISS'
            engines learn from; None for the gallery itself.
        progress: whether a progress bar is shown.

    Returns:
        What to tell the user; nothing of an engine that needs no building.

    Raises:
        UserError: for a wrong gallery or name, a gallery too small, a server
            that does not answer, or a disk that does not take it.
    """
    require_gallery_engine(engine, backend, uri, training_gallery)
    index = load_index(gallery)
    training = _training(training_gallery, index)
    return summary(
        build_engine(index, engine, backend, uri, training, progress)
    )


def _training(folder: Path | str | None, index: Index) -> np.ndarray | None:
    if folder is None:
        return None
    training = load_index(folder)
    if training.model_hash != index.model_hash:
        raise UserError(
            f"--training_gallery={folder}: was built with another model than"
            f" {index.folder}; build it again with experiments.index"
        )
    return training.descriptors
