"""Which indexes of FAISS there are, and how much of one a search reads."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgtl_tf.utils.errors import UserError

FAISS_ENGINES = ("float16", "int8", "pca", "ivfpq")
"""Scalar quantization (IEEE half precision; 256 steps of each dimension's
range), whitened principal components, and an inverted file of product
quantization."""

_COMPONENTS = 256
# Numbers that share a 4-bit code.
_CODED = 4
_FEWEST_PLACES = 1000
# k-means needs so many places for each of its centres.
_PLACES_PER_LIST = 39
_PCA_ROWS_PER_DIMENSION = 10
# Added to each component's variance. Unit vectors of D numbers have 1 / D on
# average; a component without any must not be blown up.
_LEAST_VARIANCE = 1e-7
# Candidates by codes for each that is compared by its components.
_REFINED = 8.0


@dataclass(frozen=True)
class SearchSettings:
    """How much of an index a search reads.

    Attributes:
        reranked: candidates that are compared exactly, of each query.
        nprobe: inverted lists that are read; 0 without an inverted file.
    """

    reranked: int = 100
    nprobe: int = 0


def faiss_library(engine: str) -> Any:
    """The module `faiss`.

    Raises:
        UserError: where it is not installed.
    """
    if importlib.util.find_spec("faiss") is None:
        raise UserError(
            f"engine={engine}: needs FAISS; pip install -e '.[faiss]'"
        )
    # It logs at length which instructions it was built for.
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)
    return importlib.import_module("faiss")


def trained_index(engine: str, sample: np.ndarray, count: int) -> Any:
    """An empty index of FAISS, trained.

    Whitening (`pca`) keeps the few directions in which all places differ
    (season, light, the share of forest) from outweighing all others: Jégou
    and Chum, "Negative evidences and co-occurences in image retrieval", ECCV
    2012.

    `ivfpq` rotates the principal components at random, so that all codes
    carry alike, and stores their differences from the centres of k-means as
    4-bit codes (Jégou, Douze and Schmid, "Product quantization for nearest
    neighbor search", PAMI 2011; André et al., "Cache locality is not enough",
    VLDB 2015), and in 8 bits to refine the order. Its metric is Euclidean:
    an inner product would lose the cosine's order, as PCA moves the origin.

    Args:
        engine: of `FAISS_ENGINES`.
        sample: descriptors to learn from, float32 [n, D].
        count: N, rows that the index will hold.

    Raises:
        UserError: where the sample, or a descriptor, is too small.
    """
    faiss = faiss_library(engine)
    dimension, product = sample.shape[1], faiss.METRIC_INNER_PRODUCT
    if engine == "pca":
        # n rows span n - 1 directions around their mean.
        components = min(_COMPONENTS, dimension, len(sample) - 1)
        name = f"PCAW{components},L2norm,Flat"
        index = faiss.index_factory(dimension, name, product)
        pca = faiss.downcast_VectorTransform(index.chain.at(0))
        # Its eigenvalues are sums over the sample, not means.
        pca.epsilon = _LEAST_VARIANCE * len(sample)
    elif engine == "ivfpq":
        lists = _lists(count, len(sample))
        components = _components(dimension)
        pca = faiss.PCAMatrix(dimension, components, 0, True)
        pca.max_points_per_d = _PCA_ROWS_PER_DIMENSION
        # By itself, so that "Refine" has the components, not all numbers.
        name = f"IVF{lists},PQ{components // _CODED}x4fsr,Refine(SQ8)"
        coded = faiss.index_factory(components, name, faiss.METRIC_L2)
        index = faiss.IndexPreTransform(pca, coded)
    else:
        name = {"float16": "SQfp16", "int8": "SQ8"}[engine]
        index = faiss.index_factory(dimension, name, product)
    index.train(sample)
    return index


def _lists(count: int, sampled: int) -> int:
    """A power of two near 2 sqrt(N), with enough places to learn each."""
    fewest = min(count, sampled)
    if fewest < _FEWEST_PLACES:
        raise UserError(
            f"engine=ivfpq: needs {_FEWEST_PLACES:,} places or more, here are"
            f" {fewest:,}; search so few with engine=exact"
        )
    return 2 ** int(np.log2(min(2 * count**0.5, sampled / _PLACES_PER_LIST)))


def _components(dimension: int) -> int:
    step = 2 * _CODED
    if dimension < step:
        raise UserError(
            f"engine=ivfpq: descriptors of {dimension} numbers are too short"
            f" for it (at least {step}); search with engine=exact"
        )
    return min(dimension, _COMPONENTS) // step * step


def settings_to_try(engine: str, index: Any) -> list[SearchSettings]:
    """Settings from fast to thorough."""
    if engine == "pca":
        return [SearchSettings(n) for n in (50, 100, 200, 400, 800)]
    if engine != "ivfpq":
        return [SearchSettings(50)]
    lists = faiss_library(engine).extract_index_ivf(index).nlist
    powers = [2**n for n in range(1, lists.bit_length())]
    return [
        *(SearchSettings(50, nprobe) for nprobe in powers or [1]),
        SearchSettings(200, lists),
        SearchSettings(800, lists),
    ]


def search_parameters(engine: str, settings: SearchSettings) -> Any:
    """What FAISS takes of the settings; None for an index without lists."""
    if not settings.nprobe:
        return None
    faiss = faiss_library(engine)
    lists = faiss.SearchParametersIVF(nprobe=settings.nprobe)
    refined = faiss.IndexRefineSearchParameters(
        k_factor=_REFINED, base_index_params=lists
    )
    return faiss.SearchParametersPreTransform(index_params=refined)
