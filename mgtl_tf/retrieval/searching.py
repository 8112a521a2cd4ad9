"""Queries put to a gallery: what every answer begins with."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from mgtl_tf.retrieval.ann import SearchEngine
from mgtl_tf.retrieval.calibration.confidence import CANDIDATES
from mgtl_tf.retrieval.encoder import Encoder
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.retrieval.headings import best_rotations, rotations
from mgtl_tf.retrieval.queries import (
    Query,
    Unreadable,
    encoded_queries,
    refuse,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.top_k import NotFiniteError


@dataclass(frozen=True)
class Searched:
    """A batch of queries and what the gallery has for them.

    Attributes:
        queries: those that could be read, Q of them.
        descriptors: theirs, float32 [Q, D].
        rows: of the K most similar places, int [Q, K], best first.
        similarities: theirs, float32 [Q, K].
        headings: under which they are so similar, degrees [Q, K]; None where
            north is taken to be in the centre column.
        seconds: what each query took.
    """

    queries: list[Query]
    descriptors: np.ndarray
    rows: np.ndarray
    similarities: np.ndarray
    headings: np.ndarray | None
    seconds: float

    @property
    def true_rows(self) -> list[int | None]:
        """Rows of the queries' true places."""
        return [query.true_row for query in self.queries]


class Searcher:
    """A model, a gallery and what searches it.

    Args:
        encoder: the model.
        index: the gallery, of the same model.
        engine: searches it.
    """

    def __init__(self, encoder: Encoder, index: Index, engine: SearchEngine):
        self.encoder = encoder
        self.index = index
        self.engine = engine

    def search(
        self,
        images: Iterable[Any],
        top_k: int,
        rows: np.ndarray | None = None,
        unknown_heading: bool = False,
        unreadable: Unreadable = refuse,
        truths: Iterable[str | None] = repeat(None),
    ) -> Iterator[Searched]:
        """The search behind the answers, batch by batch.

        Args:
            images, unknown_heading, unreadable, truths: as of `locate_many`.
            top_k: at least so many candidates, where there are.
            rows: of the places that are candidates; None: all.

        Raises:
            ValueError: for top_k below 1.
            UserError: where the gallery's descriptors are not finite.
        """
        if top_k < 1:
            raise ValueError(f"top_k={top_k}: must be 1 or more")
        top_k = max(top_k, CANDIDATES)
        count = rotations(self.encoder.details) if unknown_heading else 1
        start = time.perf_counter()
        for kept, descriptors in encoded_queries(
            self.encoder, images, map(self._row, truths), unreadable, count
        ):
            found = self._search(descriptors, top_k, rows)
            seconds = (time.perf_counter() - start) / len(kept)
            yield Searched(kept, *found, seconds)
            start = time.perf_counter()

    def _search(
        self, descriptors: np.ndarray, top_k: int, rows: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
        """Descriptors, rows, similarities and headings of `Searched`."""
        if descriptors.ndim == 2:
            found = self._nearest(descriptors, top_k, rows)
            return descriptors, *found, None
        answers = [
            best_rotations(*self._nearest(turned, top_k, rows), top_k)
            for turned in descriptors
        ]
        found, similarities, headings = zip(*answers, strict=True)
        return (
            descriptors,
            np.stack(found),
            np.stack(similarities),
            np.stack(headings),
        )

    def _nearest(
        self, descriptors: np.ndarray, top_k: int, rows: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and similarities, [Q, K]."""
        try:
            return self.engine.search(descriptors, top_k, rows)
        except NotFiniteError as error:
            # The encoder gives no others, so they are the gallery's.
            raise UserError(
                f"--gallery={self.index.folder}: holds descriptors that are"
                " not finite; build it again with experiments.index"
            ) from error

    def _row(self, place_id: str | None) -> int | None:
        return None if place_id is None else self.index.row(place_id)
