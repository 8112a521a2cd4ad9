"""A model, a gallery and a search engine: queries to similar places."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Self

import numpy as np

from mgtl_tf.export.shipped import model_folder
from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.gallery import Index, load_index
from mgtl_tf.retrieval.ann import SearchEngine, open_engine
from mgtl_tf.retrieval.calibration.confidence import CANDIDATES
from mgtl_tf.retrieval.headings import best_rotations, rotations
from mgtl_tf.retrieval.queries import (
    Query,
    Unreadable,
    encoded_queries,
    raise_unreadable,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.shift_scorer import ShiftScorer
from mgtl_tf.utils.top_k import NotFiniteError


@dataclass(frozen=True)
class SearchedBatch:
    """A batch of queries and the places found for them.

    Attributes:
        queries: those that could be read, Q of them.
        descriptors: theirs, float32 [Q, D], or [Q, T, D] of T rotations.
        rows: of the K most similar places, int [Q, K], best first.
        similarities: theirs, float32 [Q, K].
        headings: of the most similar rotations, degrees [Q, K]; None where
            north is in the centre column and the scorer finds none.
        seconds: what each query took.
    """

    queries: list[Query]
    descriptors: np.ndarray
    rows: np.ndarray
    similarities: np.ndarray
    headings: np.ndarray | None
    seconds: float


class Searcher:
    """Searches a gallery for panoramas.

    Args:
        encoder: the model.
        index: the gallery, of the same model.
        engine: searches it.
    """

    def __init__(self, encoder: Encoder, index: Index, engine: SearchEngine):
        self.encoder = encoder
        self.index = index
        self.engine = engine

    @classmethod
    def load(
        cls,
        model: Path | str,
        gallery: Path | str,
        engine: str = "exact",
        backend: str = "faiss",
        uri: str | None = None,
    ) -> Self:
        """Opens a model and a gallery.

        Args:
            model: folder or packed file that experiments.export wrote, or
                the name of a shipped model ("synthetic-to-real").
            gallery: folder that experiments.index wrote, with that model.
            engine, backend, uri: what searches the gallery, as of
                `ann.open_engine`.

        Raises:
            UserError: where one is missing, damaged or of another model.
        """
        index = load_index(gallery)
        encoder = Encoder(model_folder(model))
        index.require_model(encoder.model_hash, model)
        return cls(encoder, index, open_engine(index, engine, backend, uri))

    def search(
        self,
        images: Iterable[Any],
        top_k: int,
        rows: np.ndarray | None = None,
        unknown_heading: bool = False,
        unreadable: Unreadable = raise_unreadable,
        truths: Iterable[str | None] = repeat(None),
    ) -> Iterator[SearchedBatch]:
        """The most similar places, batch by batch.

        Args:
            images: as of `queries.query_panorama`.
            top_k: K; at least 50 are found, where there are so many.
            rows: of the places to search; None: all.
            unknown_heading: whether all rotations are searched.
            unreadable: called with each image that cannot be read, and why;
                the image is then skipped. By default the first is an error.
            truths: ids of the places where the images were taken, one each,
                None where that is unknown or the gallery lacks it.

        Raises:
            ValueError: for top_k below 1.
            UserError: for an image that cannot be read, or a gallery whose
                descriptors are not finite.
        """
        if top_k < 1:
            raise ValueError(f"top_k={top_k}: must be 1 or more")
        top_k = max(top_k, CANDIDATES)
        count = 1
        if unknown_heading and not self.index.scorer.finds_headings:
            count = rotations(self.encoder.details)
        true_rows = (t if t is None else self.index.row(t) for t in truths)
        start = time.perf_counter()
        for kept, descriptors in encoded_queries(
            self.encoder, images, true_rows, unreadable, count, unknown_heading
        ):
            found = self._nearest(descriptors, top_k, rows)
            seconds = (time.perf_counter() - start) / len(kept)
            yield SearchedBatch(kept, descriptors, *found, seconds)
            start = time.perf_counter()

    def _nearest(
        self, descriptors: np.ndarray, top_k: int, rows: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Rows, similarities and headings of `SearchedBatch`."""
        try:
            if descriptors.ndim == 2:
                best, scores = self.engine.search(descriptors, top_k, rows)
                return best, scores, self._headings(descriptors, best)
            answers = [
                best_rotations(*self.engine.search(views, top_k, rows), top_k)
                for views in descriptors
            ]
        except NotFiniteError as error:
            # The encoder gives no others, so they are the gallery's.
            raise UserError(
                f"{self.index.folder}: holds descriptors that are not finite;"
                " build it again with experiments.index"
            ) from error
        found, similarities, headings = map(
            np.stack, zip(*answers, strict=True)
        )
        return found, similarities, headings

    def _headings(
        self, descriptors: np.ndarray, found: np.ndarray
    ) -> np.ndarray | None:
        """Of queries [Q, D] at their answers int [Q, K], if they are found."""
        scorer = self.index.scorer
        if not isinstance(scorer, ShiftScorer):
            return None
        return np.stack(
            [
                scorer.headings(
                    np.broadcast_to(view, (len(rows), len(view))),
                    self.index.descriptors[rows],
                )
                for view, rows in zip(descriptors, found, strict=True)
            ]
        )
