"""What a query got from a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgtl_tf.metrics import ranks
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.retrieval.galleries.places import Place
from mgtl_tf.retrieval.search import search
from mgtl_tf.utils.geodesy import geodesic_metres


@dataclass(frozen=True)
class Answer:
    """A place and how it answers a query.

    Attributes:
        rank: from 1.
        place: id, image, coordinates.
        similarity: cosine of the descriptors.
        metres_from_first: how far it lies from the first answer; None where
            the position of one of them is unknown.
        heading: degrees clockwise from north to which the panorama's centre
            column looks, if this is its place; None where it was not asked.
        probability: that this is its place, all frames so far considered;
            None where there is no sequence.
    """

    rank: int
    place: Place
    similarity: float
    metres_from_first: float | None = None
    heading: float | None = None
    probability: float | None = None


@dataclass(frozen=True)
class Located:
    """A query image and its answers, most similar first.

    Attributes:
        image: the query's file, or "image 3" where it was none.
        answers: the K best places.
        true_answer: the place where the image was taken, with its rank in
            the whole gallery, ties counted against it (R20); None where that
            place isn't known.
        confidence: probability that the first answer lies within
            `confidence_metres` of where the image was taken; None where that
            cannot be said, and `no_confidence` tells why.
        confidence_metres: R, what the gallery was calibrated for.
        outside_share: which share of queries the confidence takes to be from
            places that the gallery lacks, 0 to 1; None where no confidence
            is told, or that of a drive, which presumes that it has them all.
        no_confidence: why there is no confidence; "" where there is one.
        seconds: what the answer took, decoding and network included.
        heading_read: degrees clockwise from north that the image's file says
            its centre column looks to (GPano), by which it was turned to
            north; None where it says nothing or was not asked.
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

    @property
    def heading(self) -> float | None:
        """The first answer's heading."""
        return self.answers[0].heading

    @property
    def truth(self) -> str | None:
        """The true place's id."""
        return None if self.true_answer is None else self.true_answer.place.id

    @property
    def truth_rank(self) -> int | None:
        """The true place's rank."""
        return None if self.true_answer is None else self.true_answer.rank


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
    found = search(queries, index.descriptors, top_k)
    true_rows = [
        None if truth is None else index.row(truth) for truth in truths
    ]
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
        similarities: float [K].
        headings: degrees [K], where they were asked for.
        probabilities: [K], in a sequence.
    """
    places = [index.places[row] for row in rows.tolist()]
    metres = metres_from_first(places)
    return tuple(
        Answer(
            i + 1,
            place,
            float(similarities[i]),
            _known(metres[i]),
            None if headings is None else float(headings[i]),
            None if probabilities is None else float(probabilities[i]),
        )
        for i, place in enumerate(places)
    )


def metres_from_first(places: Sequence[Place]) -> np.ndarray:
    """Distances from the first place, float64 [K]; NaN where unknown."""
    unknown = (np.nan, np.nan)
    where = np.array([place.coordinates or unknown for place in places])
    return geodesic_metres(where[0], where)


def true_answers(
    queries: np.ndarray, index: Index, true_rows: Sequence[int | None]
) -> list[Answer | None]:
    """How each query's true place answers it, where that place is known.

    Args:
        queries: descriptors, float32 [Q, D]; or [Q, T, D] of T turns, of
            which each place takes its best.
        index: the gallery.
        true_rows: rows of the gallery, None where unknown, [Q].
    """
    if queries.ndim == 3:
        return [
            None if row is None else _best_turn(turned, index, row)
            for turned, row in zip(queries, true_rows, strict=True)
        ]
    known = [i for i, row in enumerate(true_rows) if row is not None]
    found: list[Answer | None] = [None] * len(true_rows)
    if known:
        rows = np.array([true_rows[i] for i in known], np.int64)
        rank, _ = ranks(queries[known], index.descriptors, rows)
        for i, row, place in zip(known, rows, rank, strict=True):
            similarity = float(queries[i] @ index.descriptors[row])
            found[i] = Answer(int(place), index.places[row], similarity)
    return found


def _best_turn(turned: np.ndarray, index: Index, row: int) -> Answer:
    """The true place's answer to a query of T turns, [T, D]."""
    best = np.max(index.descriptors @ turned.T, axis=1)  # [N]
    rank = int(np.count_nonzero(best >= best[row]))
    return Answer(rank, index.places[row], float(best[row]))


def _known(metres: float) -> float | None:
    return None if np.isnan(metres) else float(metres)
