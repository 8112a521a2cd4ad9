"""What an approximate engine is made of: training, and its candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mgtl_tf.utils.errors import UserError


@dataclass(frozen=True)
class Effort:
    """How much of an index a search looks at.

    Attributes:
        short_list: candidates that are compared exactly, of each query.
        lists: of an inverted file, how many of its lists are read; 0 for
            indexes that have none.
    """

    short_list: int = 100
    lists: int = 0


class Recipe(Protocol):
    """One kind of index of FAISS.

    Attributes:
        name: as --engine takes it.
    """

    name: str

    def train(self, faiss: Any, sample: np.ndarray, count: int) -> Any:
        """An empty index, trained.

        Args:
            faiss: the module.
            sample: descriptors to learn from, float32 [n, D].
            count: N, rows that the index will hold.
        """

    def bytes_per_place(self, dimension: int) -> int:
        """Memory that each of the N places takes, for D numbers each."""

    def efforts(self, index: Any) -> list[Effort]:
        """Efforts worth trying, the least first."""

    def candidates(
        self, faiss: Any, index: Any, queries: np.ndarray, effort: Effort
    ) -> np.ndarray:
        """Rows that may be the nearest, int64 [Q, R]; -1 where there is none.

        Args:
            faiss: the module.
            index: that `train` made, filled or read back.
            queries: float32 [Q, D].
            effort: R and how they are found.
        """


def even_dimension(dimension: int, most: int, step: int) -> int:
    """The largest multiple of `step` within D and `most`.

    Raises:
        UserError: where D is smaller than one step.
    """
    if dimension < step:
        raise UserError(
            f"--engine: descriptors of {dimension} numbers are too short for"
            f" it (at least {step}); search with --engine=exact"
        )
    return min(dimension, most) // step * step
