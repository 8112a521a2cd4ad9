"""Which queries tell how good a model is: its best, median and worst."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgtl_tf.datasets.aerial_images import first_rows, one_each
from mgtl_tf.datasets.records import Pair
from mgtl_tf.retrieval.answers import Located, locate
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.retrieval.galleries.places import Place

ANSWERS = 5
"""How many answers an example shows."""


def choose_examples(
    ground: np.ndarray,
    satellite: np.ndarray,
    pairs: Sequence[Pair],
    ranks: np.ndarray,
    each: int = 2,
    images: np.ndarray | None = None,
) -> dict[str, list[Located]]:
    """Example queries and their answers; no query is shown twice.

    Queries are ordered by the rank of their true place, then by how similar
    it is. "best" are the first, "median" those in the middle, "worst" the
    last: an honest page shows failures too.

    Args:
        ground, satellite: descriptors of the pairs, float32 [Q, D].
        pairs: of the rows.
        ranks: int [Q], of each query's true place, from 1.
        each: how many of each kind, fewer where there are few pairs.
        images: int [Q], the number of each pair's aerial image, which has
            the id of the first pair that shows it; by default no pairs share
            one.
    """
    similarity = np.einsum("qd,qd->q", ground, satellite)
    order = np.lexsort((-similarity, ranks))
    middle = max(0, (len(order) - each) // 2)
    chosen = {
        "best": order[:each],
        "worst": order[::-1][:each],
        "median": order[middle : middle + each],
    }
    images = np.arange(len(pairs)) if images is None else images
    shown = [pairs[row] for row in first_rows(images)]
    places = [Place(p.id, p.aerial, p.coordinates) for p in shown]
    index = Index(Path("."), places, one_each(satellite, images), "")
    seen: set[int] = set()
    examples = {}
    for kind, rows in chosen.items():
        fresh = [int(row) for row in rows if int(row) not in seen]
        seen.update(fresh)
        examples[kind] = locate(
            [pairs[row].ground for row in fresh],
            ground[fresh],
            index,
            ANSWERS,
            [places[images[row]].id for row in fresh],
        )
    return {kind: examples[kind] for kind in ("best", "median", "worst")}
