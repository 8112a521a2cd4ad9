"""float16 and int8 descriptors: a half and a quarter of the memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from mgtl_tf.retrieval.ann.recipe import Effort

_BYTES = {"float16": 2, "int8": 1}


class ScalarQuantized:
    """Every number by itself in 16 or 8 bits.

    float16 is IEEE half precision; int8 cuts each dimension's range, as the
    sample shows it, into 256 steps. All places are compared.

    Attributes:
        name: "float16" or "int8".
    """

    def __init__(self, name: str):
        self.name = name

    def train(self, faiss: Any, sample: np.ndarray, count: int) -> Any:
        """An empty index, trained; see `Recipe`."""
        del count
        kinds = faiss.ScalarQuantizer
        kind = kinds.QT_fp16 if self.name == "float16" else kinds.QT_8bit
        index = faiss.IndexScalarQuantizer(
            sample.shape[1], kind, faiss.METRIC_INNER_PRODUCT
        )
        index.train(sample)
        return index

    def bytes_per_place(self, dimension: int) -> int:
        """2 D or D."""
        return _BYTES[self.name] * dimension

    def efforts(self, index: Any) -> list[Effort]:
        """One: all places, and the 50 best of them exactly."""
        del index
        return [Effort(50)]

    def candidates(
        self, faiss: Any, index: Any, queries: np.ndarray, effort: Effort
    ) -> np.ndarray:
        """The nearest by their rounded descriptors; see `Recipe`."""
        del faiss
        return index.search(queries, effort.short_list)[1]
