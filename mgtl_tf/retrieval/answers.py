"""What a query got from a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.galleries.places import Place
from mgtl_tf.metrics import ranks
from mgtl_tf.retrieval.ann import SearchEngine
from mgtl_tf.utils.geodesy import geodesic_metres
from mgtl_tf.utils.top_k import tiles


@dataclass(frozen=True)
class Point:
    """Where inside an answer's aerial image the panorama was taken.

    Attributes:
        east, north: metres from the image's centre.
        coordinates: latitude and longitude, degrees; None where the image's
            are unknown.
        expected_error: metres, if the panorama was taken inside this image;
            None where it was not measured.
    """

    east: float
    north: float
    coordinates: tuple[float, float] | None
    expected_error: float | None


@dataclass(frozen=True)
class Answer:
    """A place as an answer to a query.

    Attributes:
        rank: from 1.
        place: id, image, coordinates.
        similarity: score of the descriptors; of most systems their cosine.
        metres_from_first: distance from the first answer; None where the
            position of one of them is unknown.
        heading: degrees clockwise from north to which the panorama's centre
            column looks, if this is its place; None where it was not asked.
        probability: that this is its place, given all frames so far; None
            where there is no sequence.
        point: inside the place's image; None without an offset head, or where
            it is unknown what ground the image covers.
    """

    rank: int
    place: Place
    similarity: float
    metres_from_first: float | None = None
    heading: float | None = None
    probability: float | None = None
    point: Point | None = None


@dataclass(frozen=True)
class Located:
    """A query image and its answers, most similar first.

    Attributes:
        image: the query's file, or "image 3" where it was none.
        answers: the K best places.
        true_answer: the place where the image was taken, with its rank in
            the complete gallery, ties counted against it (R20); None where it
            is unknown.
        confidence: probability that the first answer lies within
            `confidence_metres` of where the image was taken; None where
            there is none, see `no_confidence`.
        confidence_metres: R, for which the gallery was calibrated.
        outside_share: which share of queries the confidence assumes to be
            from places that the gallery lacks, 0 to 1; None without one.
        no_confidence: why there is no confidence; "" where there is one.
        seconds: what the answer took, decoding and network included.
        heading_read: degrees clockwise from north that the image's file gives
            for its centre column (GPano), by which it was turned to north;
            None where it gives none or was not read.
        squeezed: what of the image was squeezed into the model's shape, a
            phrase; "" where nothing was.
    """

    image: Path
    answers: tuple[Answer, ...]
    true_answer: Answer | None = None
    confidence: float | None = None
    confidence_metres: float | None = None
    outside_share: float | None = None
    no_confidence: str = ""
    seconds: float = 0.0
    heading_read: float | None = None
    squeezed: str = ""

    @property
    def heading(self) -> float | None:
        """The first answer's heading."""
        return self.answers[0].heading

    @property
    def turn_to_north(self) -> float:
        """Degrees by which pixels that were turned by `heading_read` must be
        turned further, so that the first answer's north is in the centre."""
        if self.heading is None:
            return 0.0
        return (self.heading - (self.heading_read or 0.0)) % 360

    def of_stored(self, heading_read: float | None) -> Located:
        """The same of the panorama as its file has it.

        Args:
            heading_read: by which the pixels that were located had been
                turned; as of the attribute.
        """
        turned = heading_read or 0.0
        answers = tuple(
            answer
            if answer.heading is None
            else replace(answer, heading=(answer.heading + turned) % 360)
            for answer in self.answers
        )
        return replace(self, answers=answers, heading_read=heading_read)

    @property
    def truth(self) -> str | None:
        """The true place's id."""
        return None if self.true_answer is None else self.true_answer.place.id

    @property
    def truth_rank(self) -> int | None:
        """The true place's rank."""
        return None if self.true_answer is None else self.true_answer.rank

    def is_true(self, answer: Answer) -> bool | None:
        """Whether it is the true place; None where that is unknown."""
        return None if self.truth is None else answer.place.id == self.truth


def locate(
    images: Sequence[Path],
    queries: np.ndarray,
    index: Index,
    top_k: int,
    truths: Sequence[str | None],
) -> list[Located]:
    """Searches the gallery exactly for every query.

    Args:
        images: the query files.
        queries: their descriptors, float32 [Q, D].
        index: the gallery.
        top_k: how many answers each.
        truths: ids of places in the gallery, None where unknown.
    """
    engine = SearchEngine(index.descriptors, index.scorer)
    found = engine.search(queries, top_k)
    true_rows = [t if t is None else index.row(t) for t in truths]
    true = true_answers(queries, index, true_rows)
    return [
        Located(image, answers_of(index, *best), true[i])
        for i, (image, *best) in enumerate(zip(images, *found, strict=True))
    ]


def answers_of(
    index: Index,
    rows: np.ndarray,
    similarities: np.ndarray,
    headings: np.ndarray | None = None,
    probabilities: np.ndarray | None = None,
) -> tuple[Answer, ...]:
    """One query's answers.

    Args:
        index: the gallery.
        rows: of the places, int [K], best first.
        similarities, headings, probabilities: as of `Answer`, [K].
    """
    where = index.coordinates[rows]
    columns = (
        similarities,
        geodesic_metres(where[0], where),
        np.full(len(rows), np.nan) if headings is None else headings,
        np.full(len(rows), np.nan) if probabilities is None else probabilities,
    )
    return tuple(
        Answer(
            rank,
            index.places[int(row)],
            float(similarity),
            *map(_known, optional),
        )
        for rank, (row, similarity, *optional) in enumerate(
            zip(rows, *columns, strict=True), start=1
        )
    )


def _known(value: float) -> Any:
    return None if np.isnan(value) else float(value)


def true_answers(
    queries: np.ndarray, index: Index, true_rows: Sequence[int | None]
) -> list[Answer | None]:
    """How each query's true place answers it, where that place is known.

    Args:
        queries: descriptors, float32 [Q, D]; or [Q, T, D] of T rotations, of
            which each place takes its best.
        index: the gallery.
        true_rows: rows of the gallery, None where unknown, [Q].
    """
    found: list[Answer | None] = [None] * len(true_rows)
    known = [i for i, row in enumerate(true_rows) if row is not None]
    if not known:
        return found
    rows = np.array([true_rows[i] for i in known], np.int64)
    if queries.ndim == 2:
        places, _ = ranks(queries[known], index.descriptors, rows, index.scorer)
        scores = index.scorer.exact(queries[known], index.descriptors[rows])
    else:
        best = np.stack([_best_scores(index, queries[i]) for i in known])
        scores = best[np.arange(len(known)), rows]
        places = np.count_nonzero(best >= scores[:, None], axis=1)
    for i, row, place, score in zip(known, rows, places, scores, strict=True):
        found[i] = Answer(int(place), index.places[int(row)], float(score))
    return found


def _best_scores(index: Index, views: np.ndarray) -> np.ndarray:
    """Each place's best score with any of the rotations [T, D], [N]."""
    best = np.empty(len(index.descriptors), np.float32)
    for _, n, scores, _ in tiles(views, index.descriptors, None, index.scorer):
        best[n] = scores.max(axis=0)
    return best
