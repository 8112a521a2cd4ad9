"""Indexes of FAISS: scalar quantisation, and PCA with whitening."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgtl_tf.utils.errors import UserError

_BYTES = {"float16": 2, "int8": 1}
_MOST = 256
# Added to each component's variance. Unit vectors of D numbers have 1 / D on
# average; a component without any must not be blown up.
_LEAST_VARIANCE = 1e-7


@dataclass(frozen=True)
class SearchSettings:
    """How much of an index a search looks at.

    Attributes:
        reranked: candidates that are compared exactly, of each query.
        nprobe: of an inverted file, how many of its lists are read; 0 for
            indexes that have none.
    """

    reranked: int = 100
    nprobe: int = 0


class FaissIndex(ABC):
    """One kind of index of FAISS.

    Attributes:
        name: as --engine takes it.
    """

    name: str

    @abstractmethod
    def train(self, faiss: Any, sample: np.ndarray, count: int) -> Any:
        """An empty index, trained.

        Args:
            faiss: the module.
            sample: descriptors to learn from, float32 [n, D].
            count: N, rows that the index will hold.
        """

    @abstractmethod
    def bytes_per_place(self, dimension: int) -> int:
        """Memory that each of the N places takes, for D numbers each."""

    @abstractmethod
    def settings_to_try(self, index: Any) -> list[SearchSettings]:
        """Settings from fast to thorough."""

    def candidates(
        self, index: Any, queries: np.ndarray, settings: SearchSettings
    ) -> np.ndarray:
        """Rows that may be the nearest, int64 [Q, R]; -1 where there is none.

        Args:
            index: that `train` made, filled or read back.
            queries: float32 [Q, D].
            settings: R and how they are found.
        """
        return index.search(queries, settings.reranked)[1]


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


class ScalarQuantization(FaissIndex):
    """Every number by itself in 16 or 8 bits.

    float16 is IEEE half precision; int8 cuts each dimension's range, as the
    sample shows it, into 256 steps. All places are compared.

    Attributes:
        name: "float16" or "int8".
    """

    def __init__(self, name: str):
        self.name = name

    def train(self, faiss: Any, sample: np.ndarray, count: int) -> Any:
        """An empty index, trained; see `FaissIndex`."""
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

    def settings_to_try(self, index: Any) -> list[SearchSettings]:
        """One: all places, and the 50 best of them exactly."""
        del index
        return [SearchSettings(50)]


class WhitenedPCA(FaissIndex):
    """The first principal components, all of one variance, normalised.

    Whitening keeps the few directions in which all places differ (season,
    light, the share of forest) from outweighing all others: Jégou and Chum,
    "Negative evidences and co-occurences in image retrieval", ECCV 2012.
    All places are compared in the reduced space.

    Attributes:
        name: "pca".
    """

    name = "pca"

    def train(self, faiss: Any, sample: np.ndarray, count: int) -> Any:
        """An empty index, trained; see `FaissIndex`."""
        del count
        dimension = sample.shape[1]
        # n rows span n - 1 directions around their mean.
        reduced = even_dimension(dimension, min(_MOST, len(sample) - 1), 1)
        index = faiss.index_factory(
            dimension, f"PCAW{reduced},L2norm,Flat", faiss.METRIC_INNER_PRODUCT
        )
        pca = faiss.downcast_VectorTransform(index.chain.at(0))
        # Its eigenvalues are sums over the sample, not means.
        pca.epsilon = _LEAST_VARIANCE * len(sample)
        index.train(sample)
        return index

    def bytes_per_place(self, dimension: int) -> int:
        """float32 of the components."""
        return 4 * even_dimension(dimension, _MOST, 1)

    def settings_to_try(self, index: Any) -> list[SearchSettings]:
        """All places, and ever more of the best of them exactly."""
        del index
        return [SearchSettings(n) for n in (50, 100, 200, 400, 800)]
