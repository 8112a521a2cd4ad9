"""What a query got from a gallery, and how it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.metrics import ranks
from mgtl_tf.retrieval.index import Index
from mgtl_tf.retrieval.places import Place
from mgtl_tf.retrieval.search import search


@dataclass(frozen=True)
class Answer:
    """A place and how it answers a query: rank from 1, cosine similarity."""

    rank: int
    place: Place
    similarity: float


@dataclass(frozen=True)
class Located:
    """A query image and its answers, most similar first.

    `true_answer` is the place where the image was taken, with its rank in
    the whole gallery, ties counted against it (R20); None where that place
    isn't known.
    """

    image: Path
    answers: tuple[Answer, ...]
    true_answer: Answer | None = None

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
    """Searches the gallery for every query.

    Args:
        images: the query files.
        queries: their descriptors, float32 [Q, D].
        index: the gallery.
        top_k: how many answers each.
        truths: ids of places in the gallery, None where unknown.
    """
    rows, similarities = search(queries, index.descriptors, top_k)
    true_answers = _true_answers(queries, index, truths)
    return [
        Located(
            image,
            tuple(
                Answer(rank, index.places[row], float(similarity))
                for rank, (row, similarity) in enumerate(
                    zip(rows[i], similarities[i], strict=True), 1
                )
            ),
            true_answers[i],
        )
        for i, image in enumerate(images)
    ]


def _true_answers(
    queries: np.ndarray, index: Index, truths: Sequence[str | None]
) -> list[Answer | None]:
    rows = {place.id: row for row, place in enumerate(index.places)}
    known = [i for i, truth in enumerate(truths) if truth is not None]
    found: list[Answer | None] = [None] * len(truths)
    if known:
        true_rows = np.array([rows[str(truths[i])] for i in known])
        rank, _ = ranks(queries[known], index.descriptors, true_rows)
        for i, row, place in zip(known, true_rows, rank, strict=True):
            similarity = float(queries[i] @ index.descriptors[row])
            found[i] = Answer(int(place), index.places[row], similarity)
    return found


def as_table(located: Sequence[Located]) -> str:
    """Text for people: one block an image, the true place marked."""
    blocks = []
    for query in located:
        width = max([2, *(len(a.place.id) for a in query.answers)])
        lines = [str(query.image)]
        lines.append(
            f"{'rank':>4}  {'id':<{width}}  similarity    latitude   longitude"
        )
        for answer in query.answers:
            mark = "  true place" if answer.place.id == query.truth else ""
            lines.append(
                f"{answer.rank:>4}  {answer.place.id:<{width}}"
                f"  {answer.similarity:>10.4f}  {_degrees(answer.place)}{mark}"
            )
        if query.truth_rank is not None:
            lines.append(f"true place: {query.truth}, rank {query.truth_rank}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _degrees(place: Place) -> str:
    if place.coordinates is None:
        return f"{'-':>10}  {'-':>10}"
    latitude, longitude = place.coordinates
    return f"{latitude:>10.6f}  {longitude:>10.6f}"


def as_json(located: Sequence[Located]) -> str:
    """A JSON list, one object an image; unknown values are null."""
    return json.dumps([_plain(query) for query in located], indent=2)


def _plain(query: Located) -> dict[str, Any]:
    answers = []
    for answer in query.answers:
        latitude, longitude = answer.place.coordinates or (None, None)
        answers.append(
            {
                "rank": answer.rank,
                "id": answer.place.id,
                "similarity": round(answer.similarity, 6),
                "latitude": latitude,
                "longitude": longitude,
                "image": str(answer.place.image),
            }
        )
    return {
        "image": str(query.image),
        "truth": query.truth,
        "truth_rank": query.truth_rank,
        "answers": answers,
    }


def as_geojson(located: Sequence[Located]) -> str:
    """A GeoJSON FeatureCollection (RFC 7946), one feature an answer.

    A place without coordinates is a feature whose geometry is null.
    """
    features = []
    for query in located:
        for answer in query.answers:
            features.append(
                {
                    "type": "Feature",
                    "geometry": _point(answer.place),
                    "properties": {
                        "query": str(query.image),
                        "rank": answer.rank,
                        "id": answer.place.id,
                        "similarity": round(answer.similarity, 6),
                        "is_true_place": _is_true(query, answer),
                    },
                }
            )
    collection = {"type": "FeatureCollection", "features": features}
    return json.dumps(collection, indent=2)


def _point(place: Place) -> dict[str, Any] | None:
    if place.coordinates is None:
        return None
    latitude, longitude = place.coordinates
    # GeoJSON has longitude first.
    return {"type": "Point", "coordinates": [longitude, latitude]}


def _is_true(query: Located, answer: Answer) -> bool | None:
    return None if query.truth is None else answer.place.id == query.truth


FORMATS = {"table": as_table, "json": as_json, "geojson": as_geojson}
"""How answers may be told, by the name that --format takes."""
