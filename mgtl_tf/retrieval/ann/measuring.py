"""Of which gallery an engine is, and how much recall it loses."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.ann.engine import SearchEngine
from mgtl_tf.utils.atomic_io import INDEX_JSON

QUERY_DIFFERENCE = 1.0
"""As hard as cross-view queries are: a cosine to the place of about 0.7."""

_CHECKED_ROWS = 1024
_SAMPLED = 512
_KS = (1, 10)


def gallery_fingerprint(index: Index) -> dict[str, Any]:
    """Identifies a gallery and its state.

    The checksum of index.json, which holds those of all its files, and one
    of 1,024 descriptors as they are now.
    """
    descriptors = index.descriptors
    rows = np.linspace(0, len(descriptors) - 1, _CHECKED_ROWS).astype(int)
    some = np.ascontiguousarray(descriptors[np.unique(rows)], "<f4")
    manifest = index.folder / INDEX_JSON
    text = manifest.read_bytes() if manifest.is_file() else b""
    return {
        "index_json": hashlib.sha256(text).hexdigest(),
        "shape": list(descriptors.shape),
        "descriptors": hashlib.sha256(some.tobytes()).hexdigest(),
    }


def measurement(
    descriptors: np.ndarray,
    count: int,
    rng: np.random.Generator,
    difference: float,
) -> Callable[[SearchEngine], dict[str, float]]:
    """`compare` of an engine with exact search, on the same queries for all.

    Args:
        descriptors, count, rng, difference: as of `synthetic_queries`.
    """
    queries, truth = synthetic_queries(descriptors, count, rng, difference)
    exact, _ = SearchEngine(descriptors).search(queries, 10)
    return functools.partial(compare, queries=queries, truth=truth, exact=exact)


def synthetic_queries(
    descriptors: np.ndarray,
    count: int,
    rng: np.random.Generator,
    difference: float = QUERY_DIFFERENCE,
) -> tuple[np.ndarray, np.ndarray]:
    """Queries that the gallery does not hold, each near one of its places.

    As another view of a place, a query differs from it in the directions in
    which places differ.

    Args:
        descriptors: unit vectors, float32 [N, D].
        count: Q, at most N.
        rng: draws places and noise.
        difference: the noise's size; 0 gives the places themselves.

    Returns:
        queries float32 [Q, D], and the rows int64 [Q] they are near.
    """
    count = min(count, len(descriptors))
    truth = np.sort(rng.choice(len(descriptors), count, replace=False))
    queries = np.array(descriptors[truth], np.float32)
    queries += np.float32(difference) * gallery_noise(descriptors, count, rng)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    return queries, truth


def gallery_noise(
    descriptors: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Gaussian noise with the covariance of (512 of) the gallery's rows.

    Args:
        descriptors: float32 [N, D].
        count: how many rows of noise.
        rng: draws them.

    Returns:
        float32 [count, D].
    """
    sampled = min(_SAMPLED, len(descriptors))
    rows = np.sort(rng.choice(len(descriptors), sampled, replace=False))
    around = np.array(descriptors[rows], np.float32)
    around -= around.mean(axis=0)
    weights = rng.standard_normal((count, sampled), np.float32)
    return weights @ around / np.float32(np.sqrt(sampled))


def compare(
    engine: SearchEngine,
    queries: np.ndarray,
    truth: np.ndarray,
    exact: np.ndarray,
) -> dict[str, float]:
    """An engine's answers beside the exact ones.

    Args:
        engine: that is measured.
        queries: float32 [Q, D].
        truth: the rows that are right, int64 [Q].
        exact: the exact first ten rows, int64 [Q, 10] (or all N).

    Returns:
        `recall@K` and `exact_recall@K` for K of 1 and 10 (the true row
        found), `same@1` and `same@10` (share of the exact first rows that
        the engine found too), `queries`, and `milliseconds` of each.
    """
    began = time.perf_counter()
    rows, _ = engine.search(queries, exact.shape[1])
    seconds = time.perf_counter() - began
    shared = (rows[:, :, None] == exact[:, None, :]).any(axis=1)
    return {
        "queries": len(queries),
        **_recalls("recall", rows, truth),
        **_recalls("exact_recall", exact, truth),
        "same@1": float((rows[:, 0] == exact[:, 0]).mean()),
        "same@10": float(shared.mean()),
        "milliseconds": 1e3 * seconds / len(queries),
    }


def _recalls(
    name: str, rows: np.ndarray, truth: np.ndarray
) -> dict[str, float]:
    hits = rows == truth[:, None]
    return {f"{name}@{k}": float(hits[:, :k].any(axis=1).mean()) for k in _KS}
