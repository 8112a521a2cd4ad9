"""Similarity of two sets of tokens, place by place, with controls.

Every figure of true pairs comes with the same figure of other pairs, and with
that of a constant prediction: similarity alone proves nothing where tokens of
all places have much in common.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mgtl_tf import metrics

_EMPTY = 1e-12
# A place that differs from the mean place by a smaller share of its own length
# differs by rounding alone.
_ROUNDING = 1e-5


def other_places(count: int, seed: int = 0) -> np.ndarray:
    """A random other place for every place, int [N], never its own.

    Raises:
        ValueError: for fewer than two places.
    """
    if count < 2:
        raise ValueError(f"count={count}: two places or more are needed")
    order = np.random.default_rng(seed).permutation(count)
    others = np.empty(count, np.int64)
    others[order] = np.roll(order, 1)  # one ring through all places
    return others


def similarity(
    found: np.ndarray, truth: np.ndarray, others: np.ndarray
) -> dict[str, float | None]:
    """How close tokens are to those that they should equal.

    Args:
        found: float [N, T, C], such as the knowledge generated from ground.
        truth: float [N, T, C], such as the satellite view's own tokens.
        others: int [N], for each place another one, of `other_places`.

    Returns:
        "centred_cosine", the mean over places of the cosine of [T * C] after
        the mean over places is subtracted from both, 0 where nothing is left;
        "mse" (Eq. 8's) and "normalized_mse", divided by that of a constant
        prediction, the mean place: 1 knows nothing of the place, 0 all, None
        where all places have the same tokens. Each also as "other_...":
        against another place's truth.
    """
    found, truth = _flat(found), _flat(truth)
    centred = _centred(found), _centred(truth)
    constant = float(np.mean(np.square(centred[1])))
    figures: dict[str, float | None] = {}
    for prefix, rows in (("", slice(None)), ("other_", others)):
        mse = float(np.mean(np.square(found - truth[rows])))
        figures |= {
            f"{prefix}centred_cosine": _cosine(centred[0], centred[1][rows]),
            f"{prefix}mse": mse,
            f"{prefix}normalized_mse": (
                mse / constant if constant > _EMPTY else None
            ),
        }
    return figures


def token_recall(found: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """How often each place's tokens retrieve that place's truth (R20).

    Args:
        found, truth: float [N, T, C], compared by the cosine of [T * C].

    Returns:
        as `metrics.recall`.
    """
    return metrics.recall(_units(_flat(found)), _units(_flat(truth)))


def variation(tokens: np.ndarray) -> float:
    """The share of the tokens' mean square that differs between places.

    Args:
        tokens: float [N, T, C].

    Returns:
        0..1; near 0 where all places have the same tokens: a collapse.
    """
    flat = _flat(tokens)
    square = float(np.mean(np.square(flat)))
    return float(np.mean(flat.var(axis=0))) / max(square, _EMPTY)


def _flat(tokens: np.ndarray) -> np.ndarray:
    return np.asarray(tokens, np.float32).reshape(len(tokens), -1)


def _centred(rows: np.ndarray) -> np.ndarray:
    """Rows [N, D] less their mean; zeros where only rounding is left."""
    apart = rows - rows.mean(axis=0)
    norms = np.linalg.norm(apart, axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(norms > _ROUNDING * lengths, apart, np.float32(0))


def _units(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(norms, _EMPTY)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The mean cosine of rows [N, D]; a row of zeros counts as 0."""
    return float(np.mean(np.einsum("nd,nd->n", _units(a), _units(b))))
