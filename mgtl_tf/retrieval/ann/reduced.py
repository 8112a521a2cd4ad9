"""PCA with whitening: descriptors of a few hundred numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from mgtl_tf.retrieval.ann.recipe import Effort, even_dimension

_MOST = 256
# Added to each component's variance. Unit vectors of D numbers have 1 / D on
# average; a component without any must not be blown up.
_LEAST_VARIANCE = 1e-7


class Whitened:
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
        """An empty index, trained; see `Recipe`."""
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

    def efforts(self, index: Any) -> list[Effort]:
        """All places, and ever more of the best of them exactly."""
        del index
        return [Effort(n) for n in (50, 100, 200, 400, 800)]

    def candidates(
        self, faiss: Any, index: Any, queries: np.ndarray, effort: Effort
    ) -> np.ndarray:
        """The nearest in the whitened space; see `Recipe`."""
        del faiss
        return index.search(queries, effort.short_list)[1]
