"""Scorers: how much a ground and a satellite descriptor agree.

A system has one; training, recall, mining, galleries and search all compare
through it. Scores are similarities: the larger, the more alike.

| kind | score | descriptors |
| --- | --- | --- |
| dot | their product | unit vectors |
| distance | minus their squared Euclidean distance | any |
| shift | cosine at the best circular shift (`shift_scorer.py`) | w columns |

Batches in training are tensors of Keras; everything else is NumPy, tile by
tile (`top_k.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

ROUNDING = 4e-5
"""float32 sums of equal rows may differ by where a row stands in the matrix.
Rows this near the K-th are compared again, in float64."""


@dataclass(frozen=True)
class Scorer:
    """The product of unit vectors, their cosine; base of the others."""

    kind: ClassVar[str] = "dot"
    unit: ClassVar[bool] = True
    """Whether a system's descriptors are unit vectors."""

    def plain(self) -> dict[str, Any]:
        """As JSON takes it; see `scorer_of`."""
        return {"kind": self.kind, **dataclasses.asdict(self)}

    @property
    def finds_headings(self) -> bool:
        """Whether it compares under all azimuths, and says which is best."""
        return False

    def reversed(self) -> Self:
        """The same for satellite queries in a ground gallery."""
        return self

    def fits(self, queries: int, gallery: int) -> bool:
        """Whether descriptors of these lengths compare."""
        return queries == gallery

    def of_batch(self, ground, satellite):
        """Scores of every ground (row) and satellite (column) of a batch.

        Args:
            ground: tensor [B, D].
            satellite: tensor [B, D']; D' = D but for `shift`.

        Returns:
            float32 tensor [B, B], with gradients.
        """
        from keras import ops

        ground = ops.cast(ground, "float32")
        satellite = ops.cast(satellite, "float32")
        return ops.matmul(ground, ops.transpose(satellite))

    def squared_distances(self, scores):
        """What scores are as squared Euclidean distances."""
        return 2.0 - 2.0 * scores

    def tile(
        self, queries: np.ndarray, gallery: np.ndarray, out: np.ndarray
    ) -> None:
        """Scores of float32 [q, D] and [n, D] into `out`, float32 [q, n]."""
        if len(queries) == 1:
            # Reads the gallery twice as fast as a matrix product.
            np.vecdot(gallery, queries[0], out=out[0])
        else:
            np.matmul(queries, gallery.T, out=out)

    def exact(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """Scores of row i of both, [P, D] each: float64 [P]."""
        return np.einsum(
            "pd,pd->p", queries.astype(np.float64), gallery.astype(np.float64)
        )

    def rounding(self, queries: np.ndarray, gallery: np.ndarray) -> float:
        """By how much float32 may move a score of such a tile."""
        return ROUNDING


@dataclass(frozen=True)
class DistanceScorer(Scorer):
    """Minus the squared Euclidean distance, of vectors of any length."""

    kind: ClassVar[str] = "distance"
    unit: ClassVar[bool] = False

    def of_batch(self, ground, satellite):
        """See `Scorer`; differences would need [B, B, D]."""
        from keras import ops

        products = super().of_batch(ground, satellite)
        lengths = [
            ops.sum(ops.square(ops.cast(x, "float32")), axis=-1)
            for x in (ground, satellite)
        ]
        squares = ops.expand_dims(lengths[0], 1) + lengths[1]
        return -ops.maximum(squares - 2.0 * products, 0.0)

    def squared_distances(self, scores):
        """See `Scorer`."""
        return -scores

    def tile(
        self, queries: np.ndarray, gallery: np.ndarray, out: np.ndarray
    ) -> None:
        """See `Scorer`."""
        super().tile(queries, gallery, out)
        out *= 2
        out -= squares(queries)[:, None]
        out -= squares(gallery)

    def exact(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        apart = queries.astype(np.float64) - gallery.astype(np.float64)
        return -squares(apart)

    def rounding(self, queries: np.ndarray, gallery: np.ndarray) -> float:
        """See `Scorer`; it grows with the squares of the lengths."""
        largest = squares(queries).max() + squares(gallery).max()
        return float(ROUNDING * largest)


DOT = Scorer()
DISTANCE = DistanceScorer()


def scorer_of(plain: Mapping[str, Any] | None) -> Scorer:
    """The scorer of `Scorer.plain`; `dot` where there is none.

    Raises:
        ValueError: for an unknown kind or other arguments than it has.
    """
    # Not at import: it derives from a class of this file.
    from mgtl_tf.utils.shift_scorer import ShiftScorer

    fields = dict(plain or {"kind": DOT.kind})
    kinds = {kind.kind: kind for kind in (Scorer, DistanceScorer, ShiftScorer)}
    try:
        return kinds[fields.pop("kind")](**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"scorer={plain}: unknown ({error})") from error


def squares(rows: np.ndarray) -> np.ndarray:
    """Squared lengths of vectors [..., D]."""
    return np.vecdot(rows, rows)


def unit(rows: np.ndarray) -> np.ndarray:
    """Vectors [..., D] scaled to length 1; zeros stay zeros."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
