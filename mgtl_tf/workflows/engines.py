"""Building a search engine of a gallery that experiments.index wrote."""

from __future__ import annotations

from pathlib import Path

from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.retrieval.ann import build_engine, require_engine, summary
from mgtl_tf.utils.errors import UserError


def require_gallery_engine(
    engine: str,
    backend: str,
    uri: str | None,
    training_gallery: Path | str | None,
) -> None:
    """Raises the UserError of an engine that cannot be built, before work."""
    require_engine(engine, backend, uri)
    if training_gallery is None:
        return
    if backend != "faiss" or engine == "exact":
        raise UserError(
            f"training_gallery={training_gallery}: backend={backend}"
            f" engine={engine} learns nothing; leave it out"
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
    """Builds an engine of an index, and reports its recall and memory.

    Args:
        gallery: folder that experiments.index wrote.
        engine, backend, uri: as of `ann.open_engine`.
        training_gallery: another such folder, of the same model, that FAISS'
            engines learn from; None for the gallery itself.
        progress: whether a progress bar is shown.

    Returns:
        lines of text; none for an engine that needs no building.

    Raises:
        UserError: for a wrong gallery or name, a gallery too small, a server
            that does not answer, or where the engine cannot be written.
    """
    require_gallery_engine(engine, backend, uri, training_gallery)
    index, training = load_index(gallery), None
    if training_gallery is not None:
        other = load_index(training_gallery)
        if other.model_hash != index.model_hash:
            raise UserError(
                f"{training_gallery}: was built with another model than"
                f" {index.folder}; build it again with experiments.index"
            )
        training = other.descriptors
    return summary(
        build_engine(
            index, engine, backend, uri, training=training, progress=progress
        )
    )
