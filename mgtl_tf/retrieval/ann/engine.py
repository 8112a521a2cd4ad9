"""What every search engine is asked, and what it answers."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class SearchEngine(Protocol):
    """Finds the gallery rows that are most similar to a query.

    Every engine answers with the same similarities: float32 cosines summed
    in float64 from the gallery's own descriptors. Engines that are not exact
    differ only in which rows they find, so a calibrated confidence and a
    threshold hold for all of them.

    Attributes:
        name: of the engine, as --engine takes it.
    """

    name: str

    def search(
        self, queries: np.ndarray, top_k: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The K most similar gallery rows of each query.

        Args:
            queries: unit vectors, float32 [Q, D].
            top_k: how many; fewer where fewer rows may answer.
            rows: the M rows that may answer, int64 [M] (a prior, such as
                the places within a radius); None for all N.

        Returns:
            rows: int64 [Q, K], K = min(top_k, M or N), most similar first,
                equally similar ones in the order of the gallery.
            similarities: float32 [Q, K], -1..1.

        Raises:
            ValueError: for shapes that do not fit, top_k below 1, rows that
                the gallery does not have, or values that are not finite.
        """
