"""A trained model and a gallery, opened to answer: where was this taken?"""

from __future__ import annotations

import time
from collections.abc import Iterable
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.retrieval.answers import Located
from mgtl_tf.retrieval.answers import answers_of
from mgtl_tf.retrieval.answers import true_answers
from mgtl_tf.retrieval.encoder import Encoder
from mgtl_tf.retrieval.engines import SearchEngine
from mgtl_tf.retrieval.engines import open_engine
from mgtl_tf.retrieval.index import Index
from mgtl_tf.retrieval.index import load_index
from mgtl_tf.retrieval.prior import Prior
from mgtl_tf.retrieval.queries import Query
from mgtl_tf.retrieval.queries import Unreadable
from mgtl_tf.retrieval.queries import encode_queries
from mgtl_tf.retrieval.queries import query_batches
from mgtl_tf.retrieval.queries import refuse

_UNCALIBRATED = "the gallery is not calibrated (experiments.calibrate does it)"


class Localizer:
    """Answers where panoramas were taken.

        localizer = Localizer.load("export", "gallery")
        found = localizer.locate("panorama.jpg")
        print(found.answers[0].place.coordinates, found.confidence)

    An image is a path of a JPEG, PNG or TIFF file, the bytes of one, RGB
    uint8 [H, W, 3], or a PIL image: a panorama, north in its centre column.

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
    ) -> Localizer:
        """Opens a model and a gallery.

        Args:
            model: folder that experiments.export wrote.
            gallery: folder that experiments.index wrote, with that model.
            engine, backend, uri: what searches the gallery, as of
                `engines.open_engine`.

        Raises:
            UserError: where one is missing, damaged or of another model.
        """
        index = load_index(gallery)
        encoder = Encoder(model)
        index.require_model(encoder.model_hash, model)
        return cls(encoder, index, open_engine(index, engine, backend, uri))

    def locate(
        self,
        image: Any,
        top_k: int = 5,
        near: tuple[float, float] | None = None,
        radius: float | None = None,
    ) -> Located:
        """The most similar places of one image.

        Args:
            image: path, bytes, uint8 array or PIL image.
            top_k: K, how many places.
            near: (latitude, longitude), degrees, of a point near to which
                the image was taken; with `radius`, only places inside that
                circle are candidates.
            radius: metres.

        Raises:
            UserError: for an image that cannot be read, or a prior with no
                place in it.
        """
        return self.locate_many([image], top_k, near, radius)[0]

    def locate_many(
        self,
        images: Iterable[Any],
        top_k: int = 5,
        near: tuple[float, float] | None = None,
        radius: float | None = None,
        unreadable: Unreadable = refuse,
        truths: Iterable[str | None] = repeat(None),
    ) -> list[Located]:
        """The most similar places of each image, encoded in batches.

        Args:
            images, top_k, near, radius: as of `locate`.
            unreadable: is told each image that cannot be read, which is then
                passed over; by default the first such image is an error.
            truths: ids of the places where the images were taken, one each,
                None where that is unknown or the gallery lacks it.

        Returns:
            One for each readable image, in order; `seconds` is the mean of
            its batch.

        Raises:
            UserError: as `locate`.
            ValueError: for top_k below 1.
        """
        if top_k < 1:
            raise ValueError(f"top_k={top_k}: must be 1 or more")
        prior = Prior.of(near, radius)
        rows = None if prior is None else prior.rows(coordinates(self.index))
        true_rows = map(self._rows_by_id().get, truths)
        found: list[Located] = []
        for batch in query_batches(images, true_rows):
            found += self._locate_batch(batch, top_k, rows, unreadable)
        return found

    def _locate_batch(
        self,
        batch: Sequence[Query],
        top_k: int,
        rows: np.ndarray | None,
        unreadable: Unreadable,
    ) -> list[Located]:
        start = time.perf_counter()
        kept, descriptors = encode_queries(self.encoder, batch, unreadable)
        if not kept:
            return []
        found, similarities = self.engine.search(descriptors, top_k, rows)
        answers = [
            answers_of(self.index, *both)
            for both in zip(found, similarities, strict=True)
        ]
        seconds = (time.perf_counter() - start) / len(kept)
        true = true_answers(descriptors, self.index, [q.true_row for q in kept])
        return [
            Located(
                query.name,
                answers[i],
                true[i],
                no_confidence=_UNCALIBRATED,
                seconds=seconds,
            )
            for i, query in enumerate(kept)
        ]

    def _rows_by_id(self) -> dict[str | None, int]:
        return {place.id: row for row, place in enumerate(self.index.places)}


def coordinates(index: Index) -> np.ndarray:
    """Latitude and longitude of the gallery's places, degrees [N, 2].

    NaN where they are unknown.
    """
    unknown = (np.nan, np.nan)
    return np.array([place.coordinates or unknown for place in index.places])
