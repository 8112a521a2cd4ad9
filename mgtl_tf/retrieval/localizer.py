"""A trained model and a gallery, opened to answer: where was this taken?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from mgtl_tf.retrieval.ann import SearchEngine, open_engine
from mgtl_tf.retrieval.answers import Located, answers_of, true_answers
from mgtl_tf.retrieval.calibration.stored import Calibration, load_calibration
from mgtl_tf.retrieval.encoder import Encoder
from mgtl_tf.retrieval.galleries.gallery import Index, load_index
from mgtl_tf.retrieval.prior import Prior
from mgtl_tf.retrieval.queries import Unreadable, refuse
from mgtl_tf.retrieval.searching import Searched, Searcher
from mgtl_tf.retrieval.sequence.localizer import REACH, SequenceLocalizer
from mgtl_tf.utils.errors import UserError

_NO_HEADING = "it is calibrated for panoramas whose north is known"


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
        calibration: what confidences rest on; None where the gallery's
            folder holds none that counts, and `no_confidence` tells why.

    Raises:
        UserError: where the gallery's calibration is damaged.
    """

    def __init__(self, encoder: Encoder, index: Index, engine: SearchEngine):
        super().__init__(encoder, index, engine)
        self.calibration, self.no_confidence = load_calibration(index)

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
        unknown_heading: bool = False,
    ) -> Located:
        """The most similar places of one image.

        Args:
            image: path, bytes, uint8 array or PIL image.
            top_k: K, how many places.
            near: (latitude, longitude), degrees, of a point near to which
                the image was taken; with `radius`, only places inside that
                circle are candidates.
            radius: metres.
            unknown_heading: whether north may be anywhere in the panorama:
                all T turns of it are tried, and answers hold the heading.
                There is no confidence then.

        Raises:
            UserError: for an image that cannot be read, or a prior with no
                place in it.
        """
        return self.locate_many([image], top_k, near, radius, unknown_heading)[
            0
        ]

    def locate_many(
        self,
        images: Iterable[Any],
        top_k: int = 5,
        near: tuple[float, float] | None = None,
        radius: float | None = None,
        unknown_heading: bool = False,
        unreadable: Unreadable = refuse,
        truths: Iterable[str | None] = repeat(None),
    ) -> list[Located]:
        """The most similar places of each image, encoded in batches.

        Args:
            images, top_k, near, radius, unknown_heading: as of `locate`.
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
        prior = Prior.of(near, radius)
        rows = None if prior is None else prior.rows(self.index.coordinates)
        found: list[Located] = []
        for batch in self.search(
            images, top_k, rows, unknown_heading, unreadable, truths
        ):
            found += self._answered(batch, top_k)
        return found

    def locate_sequence(
        self,
        images: Iterable[Any],
        top_k: int = 5,
        metres_per_frame: float = 10.0,
        near: tuple[float, float] | None = None,
        radius: float | None = None,
        unreadable: Unreadable = refuse,
        truths: Iterable[str | None] = repeat(None),
    ) -> list[Located]:
        """Where each frame of one drive was taken, those before considered.

        See `sequence/bayes_filter.py`; the gallery must be calibrated.

        Args:
            images: the frames, in order, north in their centre columns.
            top_k: as of `locate`.
            metres_per_frame: about what the camera moves between two.
            near, radius: a circle in which the first was taken.
            unreadable, truths: as of `locate_many`; where a frame is passed
                over, the camera moves on.

        Returns:
            One for each readable frame, places by `probability`;
            `confidence` is that of all places within R metres together.

        Raises:
            UserError: as `locate`, or where the gallery is not calibrated
                or has no positions.
            ValueError: for top_k below 1.
        """
        if top_k < 1:
            raise ValueError(f"top_k={top_k}: must be 1 or more")
        follow = SequenceLocalizer(
            self, self._calibrated(), metres_per_frame, Prior.of(near, radius)
        )
        found: list[Located] = []
        for batch in self.search(
            images, REACH, None, False, unreadable, truths
        ):
            found += follow(batch, top_k)
        return found

    def _calibrated(self) -> Calibration:
        if self.calibration is None:
            raise UserError(f"--sequence: {self.no_confidence}")
        return self.calibration

    def _answered(self, batch: Searched, top_k: int) -> list[Located]:
        confidences, reason = self._confidences(batch)
        metres = share = None
        if self.calibration is not None:
            metres = self.calibration.metres
            share = self.calibration.outside_share
        true = true_answers(batch.descriptors, self.index, batch.true_rows)
        headings = batch.headings
        return [
            Located(
                query.name,
                answers_of(
                    self.index,
                    batch.rows[i, :top_k],
                    batch.similarities[i, :top_k],
                    None if headings is None else headings[i, :top_k],
                ),
                true[i],
                confidences[i],
                metres,
                share,
                reason,
                batch.seconds,
                query.heading_read,
            )
            for i, query in enumerate(batch.queries)
        ]

    def _confidences(
        self, batch: Searched
    ) -> tuple[Sequence[float | None], str]:
        """Of each query, or why there are none."""
        nothing = [None] * len(batch.queries)
        if self.calibration is None:
            return nothing, self.no_confidence
        if batch.headings is not None:
            return nothing, _NO_HEADING
        where = self.index.coordinates[batch.rows]  # [Q, K, 2]
        return self.calibration.judge(batch.similarities, where).tolist(), ""
