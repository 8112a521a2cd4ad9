"""A trained model and a gallery, opened to answer: where was this taken?"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any

from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.ann import SearchEngine
from mgtl_tf.retrieval.answers import (
    Answer,
    Located,
    answers_of,
    true_answers,
)
from mgtl_tf.retrieval.calibration.stored import load_calibration
from mgtl_tf.retrieval.points import with_points
from mgtl_tf.retrieval.prior import rows_near
from mgtl_tf.retrieval.queries import Unreadable, raise_unreadable
from mgtl_tf.retrieval.searcher import SearchedBatch, Searcher
from mgtl_tf.retrieval.sequence.localizer import REACH, SequenceLocalizer
from mgtl_tf.utils.errors import UserError

_NO_HEADING = "it is calibrated for panoramas whose north is known"
_IN_CIRCLE = (
    "it is calibrated for all places of the gallery, not for those of a circle"
)


class Localizer(Searcher):
    """Answers where panoramas were taken.

        localizer = Localizer.load("export", "gallery")
        found = localizer.locate("panorama.jpg")
        print(found.answers[0].place.coordinates, found.confidence)

    An image is a path of a JPEG, PNG or TIFF file, the bytes of one, RGB
    uint8 [H, W, 3], or a PIL image: a panorama, north in its centre column
    or, where the file notes its heading (GPano), turned to be so.

    Args:
        encoder: the model.
        index: the gallery, of the same model.
        engine: searches it.

    Attributes:
        calibration: for confidences; None where the gallery's folder holds
            no valid one.
        no_confidence: why not.

    Raises:
        UserError: where the gallery's calibration is damaged.
    """

    def __init__(self, encoder: Encoder, index: Index, engine: SearchEngine):
        super().__init__(encoder, index, engine)
        self.calibration, self.no_confidence = load_calibration(index)

    def locate(
        self,
        image: Any,
        top_k: int = 5,
        near: tuple[float, float] | None = None,
        radius: float | None = None,
        unknown_heading: bool = False,
    ) -> Located:
        """The most similar places of one image.

        Args:
            image: path, bytes, uint8 array or PIL image.
            top_k: K, how many places.
            near: (latitude, longitude), degrees, of a point near which the
                image was taken; with `radius`, only places inside that
                circle are candidates.
            radius: metres. Where the circle leaves out any place of the
                gallery there is no confidence.
            unknown_heading: whether north may be anywhere in the panorama:
                all T rotations are tried, and answers have the heading.
                There is no confidence then. A model whose scorer finds
                headings always gives them, and its confidence.

        Raises:
            UserError: for an image that cannot be read, or a circle with no
                place in it.
        """
        (found,) = self.locate_many(
            [image], top_k, near, radius, unknown_heading
        )
        return found

    def locate_many(
        self,
        images: Iterable[Any],
        top_k: int = 5,
        near: tuple[float, float] | None = None,
        radius: float | None = None,
        unknown_heading: bool = False,
        unreadable: Unreadable = raise_unreadable,
        truths: Iterable[str | None] = repeat(None),
    ) -> list[Located]:
        """The most similar places of each image, encoded in batches.

        Args:
            images, top_k, near, radius, unknown_heading: as of `locate`.
            unreadable, truths: as of `Searcher.search`.

        Returns:
            One for each readable image, in order.

        Raises:
            UserError: as `locate`.
            ValueError: for top_k below 1.
        """
        rows = rows_near(self.index.coordinates, near, radius)
        partly = rows is not None and len(rows) < len(self.index.places)
        found: list[Located] = []
        for batch in self.search(
            images, top_k, rows, unknown_heading, unreadable, truths
        ):
            found += self._answered(batch, top_k, partly)
        return found

    def locate_sequence(
        self,
        images: Iterable[Any],
        top_k: int = 5,
        metres_per_frame: float = 10.0,
        near: tuple[float, float] | None = None,
        radius: float | None = None,
        unreadable: Unreadable = raise_unreadable,
        truths: Iterable[str | None] = repeat(None),
    ) -> list[Located]:
        """Where each frame of one drive was taken, given those before.

        See `sequence/bayes_filter.py`; the gallery must be calibrated.

        Args:
            images: the frames, in order, north in their centre columns.
            top_k: as of `locate`.
            metres_per_frame: about what the camera moves between two.
            near, radius: a circle in which the first was taken.
            unreadable, truths: as of `Searcher.search`; the camera moves
                during skipped frames too.

        Returns:
            One for each readable frame, places by `probability`;
            `confidence` is that of all places within R metres together.

        Raises:
            UserError: as `locate`, or where the gallery is not calibrated
                or has no positions.
            ValueError: for top_k below 1.
        """
        if self.calibration is None:
            raise UserError(f"sequence: {self.no_confidence}")
        if top_k < 1:
            raise ValueError(f"top_k={top_k}: must be 1 or more")
        sequence = SequenceLocalizer(
            self.index,
            self.calibration,
            metres_per_frame,
            rows_near(self.index.coordinates, near, radius),
        )
        found: list[Located] = []
        for batch in self.search(
            images, REACH, unreadable=unreadable, truths=truths
        ):
            found += sequence.located(batch, top_k)
        return found

    def _confidences(
        self, batch: SearchedBatch, partly: bool
    ) -> tuple[list[float | None], str]:
        """Of each query, and why there are none.

        Args:
            batch: the queries.
            partly: whether a part of the gallery was searched: its best
                answer has fewer rivals than the calibration's had.
        """
        calibration, reason = self.calibration, self.no_confidence
        none: list[float | None] = [None] * len(batch.queries)
        if calibration is None:
            return none, reason
        if batch.descriptors.ndim > 2:
            return none, _NO_HEADING
        if partly:
            return none, _IN_CIRCLE
        where = self.index.coordinates[batch.rows]  # [Q, K, 2]
        compared = calibration.compared(batch.similarities, where)
        return calibration.confidence(*compared).tolist(), reason

    def _answered(
        self, batch: SearchedBatch, top_k: int, partly: bool
    ) -> list[Located]:
        calibration = self.calibration
        probabilities, reason = self._confidences(batch, partly)
        true_rows = [query.true_row for query in batch.queries]
        true = true_answers(batch.descriptors, self.index, true_rows)
        return [
            Located(
                query.name,
                self._answers(batch, i, top_k),
                true[i],
                probabilities[i],
                None if calibration is None else calibration.metres,
                None if calibration is None else calibration.outside_share,
                reason,
                batch.seconds,
                query.heading_read,
                query.squeezed,
            )
            for i, query in enumerate(batch.queries)
        ]

    def _answers(
        self, batch: SearchedBatch, number: int, top_k: int
    ) -> tuple[Answer, ...]:
        """The answers of one of a batch's queries."""
        rows, headings = batch.rows[number, :top_k], batch.headings
        if headings is not None:
            # Of the stored panorama, which was turned to north.
            turned = batch.queries[number].heading_read or 0
            if self.calibration is not None:
                turned -= self.calibration.heading_constant
            headings = (headings[number, :top_k] + turned) % 360
        answers = answers_of(
            self.index, rows, batch.similarities[number, :top_k], headings
        )
        if batch.descriptors.ndim > 2:  # its north is not known
            return answers
        query = batch.descriptors[number]
        return with_points(answers, query, rows, self.index, self.encoder)
