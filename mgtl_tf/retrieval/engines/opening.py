"""From the names that --engine and --backend take to a search engine."""

from __future__ import annotations

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.engines.engine import SearchEngine
from mgtl_tf.retrieval.engines.exact import BlockSearch
from mgtl_tf.retrieval.engines.exact import FlatSearch
from mgtl_tf.retrieval.engines.faiss_library import has_faiss
from mgtl_tf.retrieval.index import Index

ENGINES = ("exact",)
"""What --engine takes."""

BACKENDS = ("faiss",)
"""What --backend takes."""


def open_engine(
    index: Index,
    engine: str = "exact",
    backend: str = "faiss",
    uri: str | None = None,
) -> SearchEngine:
    """The search engine of that name over a gallery.

    Args:
        index: the gallery.
        engine: a name of `ENGINES`.
        backend: a name of `BACKENDS`. Without FAISS, exact search takes
            blocks of NumPy, with the same answers.
        uri: of another backend's gallery; "faiss" has none.

    Raises:
        UserError: for an unknown name, or a library that is missing.
    """
    if engine not in ENGINES:
        raise UserError(f"--engine={engine}: must be one of {_list(ENGINES)}")
    if backend not in BACKENDS:
        raise UserError(
            f"--backend={backend}: must be one of {_list(BACKENDS)}"
        )
    if uri is not None:
        raise UserError(f"--uri={uri}: --backend={backend} takes none")
    if has_faiss():
        return FlatSearch(index.descriptors)
    return BlockSearch(index.descriptors)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names)
