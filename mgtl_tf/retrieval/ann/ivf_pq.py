"""IVF-PQ: reads a part of the gallery, in a few bytes a place."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from mgtl_tf.retrieval.ann.faiss_indexes import (
    FaissIndex,
    SearchSettings,
    even_dimension,
)
from mgtl_tf.utils.errors import UserError

_MOST = 256
_NUMBERS_A_CODE = 4
_LEAST_PLACES = 1000
_PCA_ROWS = 20_000
# k-means wants so many places for each of its centres.
_PLACES_A_LIST = 39
# So many candidates by product quantisation are kept for each that is reranked.
_REFINED = 8


class IVFPQ(FaissIndex):
    """An inverted file of product-quantised principal components.

    The gallery is cut into lists around the centres of k-means; a query
    reads the nearest lists. A place's difference from its centre is stored
    as 4-bit codes of 4 numbers each, which registers look up (Jégou, Douze
    and Schmid, "Product quantization for nearest neighbor search", PAMI
    2011; André et al., "Cache locality is not enough", VLDB 2015). The best
    by these codes are ordered again by the components in 8 bits, and the
    best of those are reranked exactly.

    The metric within is the Euclidean distance, whose order is that of the
    cosine for unit vectors; an inner product of components would lose it,
    since PCA moves the origin.

    Attributes:
        name: "ivfpq".
    """

    name = "ivfpq"

    def train(self, faiss: Any, sample: np.ndarray, count: int) -> Any:
        """An empty index, trained; see `FaissIndex`.

        Raises:
            UserError: for fewer than 1,000 places, or places to learn from.
        """
        if min(count, len(sample)) < _LEAST_PLACES:
            raise UserError(
                f"--engine=ivfpq: needs {_LEAST_PLACES:,} places or more, here"
                f" are {min(count, len(sample)):,}; search so few with"
                " --engine=exact"
            )
        dimension = sample.shape[1]
        reduced = _reduced(dimension)
        # Rotated at random, so that all codes carry alike.
        pca = faiss.PCAMatrix(dimension, reduced, 0, True)
        pca.train(np.ascontiguousarray(sample[:: 1 + len(sample) // _PCA_ROWS]))
        codes = reduced // _NUMBERS_A_CODE
        index = faiss.index_factory(
            reduced,
            f"IVF{_lists(count, len(sample))},PQ{codes}x4fsr,Refine(SQ8)",
            faiss.METRIC_L2,
        )
        index.train(pca.apply(sample))
        return faiss.IndexPreTransform(pca, index)

    def bytes_per_place(self, dimension: int) -> int:
        """Codes of 4 bits, the row's number, the components in 8 bits."""
        reduced = _reduced(dimension)
        return reduced // _NUMBERS_A_CODE // 2 + 8 + reduced

    def settings_to_try(self, index: Any) -> list[SearchSettings]:
        """Ever more lists, at last all, and then more candidates."""
        import faiss

        lists = faiss.extract_index_ivf(index).nlist
        powers = [2**n for n in range(1, lists.bit_length())]
        return [
            *(SearchSettings(50, read) for read in powers or [1]),
            SearchSettings(200, lists),
            SearchSettings(800, lists),
        ]

    def candidates(
        self, index: Any, queries: np.ndarray, settings: SearchSettings
    ) -> np.ndarray:
        """The nearest in the lists that are read; see `FaissIndex`."""
        faiss: Any = importlib.import_module("faiss")
        refined = faiss.downcast_index(index.index)
        parameters = faiss.IndexRefineSearchParameters(
            k_factor=float(_REFINED),
            base_index_params=faiss.SearchParametersIVF(nprobe=settings.nprobe),
        )
        components = index.chain.at(0).apply(queries)
        return refined.search(components, settings.reranked, params=parameters)[
            1
        ]


def _reduced(dimension: int) -> int:
    return even_dimension(dimension, _MOST, 2 * _NUMBERS_A_CODE)


def _lists(count: int, sampled: int) -> int:
    """A power of two near 2 sqrt(N), with enough to learn each."""
    most = min(2 * count**0.5, sampled / _PLACES_A_LIST)
    return int(2 ** np.floor(np.log2(most)))
