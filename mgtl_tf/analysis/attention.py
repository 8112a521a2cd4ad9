"""Statistics of attention: how focused it is, on what, and how far away.

The focus of attention over T azimuths is log(T) - H nats, H its mean entropy:
0 where it averages over all azimuths, log(T) where each query attends to one.
It is the sum of three parts, none of them negative, because a mean of
distributions has at least their mean entropy:

    fixed:  log(T) - H(mean over places and queries)    the same for all,
    query:  H(that mean) - mean_t H(mean over places)   the query's azimuth,
    image:  mean_t H(mean over places) - H              the image.

Only the last part depends on what the image shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FOCUS_PARTS = ("fixed", "query", "image")
"""Parts of the focus, in the order above."""


class AttentionTotals:
    """Means over places of the attention of every step and head.

    What is kept does not grow with the number of places.
    """

    def __init__(self) -> None:
        self.count = 0
        self._maps = np.zeros(())
        self._entropies = np.zeros(())

    def add(self, attention: np.ndarray) -> None:
        """Takes in float [n, L, heads, T, T'], rows of which sum to one."""
        self._maps = self._maps + attention.sum(axis=0, dtype=np.float64)
        entropies = entropy(attention).mean(axis=-1)  # [n, L, heads]
        self._entropies = self._entropies + entropies.sum(axis=0)
        self.count += len(attention)

    @property
    def maps(self) -> np.ndarray:
        """The mean attention, float64 [L, heads, T, T']."""
        return self._maps / self.count

    @property
    def entropies(self) -> np.ndarray:
        """The mean entropy of a token's attention, nats [L, heads]."""
        return self._entropies / self.count


def entropy(shares: np.ndarray) -> np.ndarray:
    """Entropy in nats of distributions along the last axis."""
    shares = np.asarray(shares, np.float64)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return -np.sum(shares * logs, axis=-1)


def focus(mean_map: np.ndarray, mean_entropy: np.ndarray) -> dict[str, float]:
    """How focused a head's attention is, and what determines it.

    Args:
        mean_map: float [T, T'], the mean attention over places.
        mean_entropy: the mean over places and tokens, nats.

    Returns:
        "entropy" in nats; "azimuths", its exponential: the effective
        number of azimuths, of T', that are attended to; "focus", that is
        1 - entropy / log(T'), and its parts "fixed", "query" and "image",
        which sum to it.
    """
    even = np.log(mean_map.shape[-1])
    levels = [
        even,
        float(entropy(mean_map.mean(axis=0))),
        float(entropy(mean_map).mean()),
        float(mean_entropy),
    ]
    parts = [(a - b) / even for a, b in zip(levels, levels[1:], strict=False)]
    return {
        "entropy": levels[3],
        "azimuths": float(np.exp(levels[3])),
        "focus": float(sum(parts)),
        **dict(zip(FOCUS_PARTS, map(float, parts), strict=True)),
    }


def offsets(mean_map: np.ndarray) -> np.ndarray:
    """The share of attention at every offset, float [T].

    Args:
        mean_map: float [..., T, T], rows sum to one.

    Returns:
        float [..., T]: entry k is the mean over tokens t of the attention to
        (t + k - T // 2) mod T: the middle is the token's own azimuth, east
        (clockwise) of it is to the right. The world is round, so the first
        azimuth is the last one's neighbour.
    """
    size = mean_map.shape[-1]
    rows = np.arange(size)
    columns = (rows[:, None] + np.arange(size) - size // 2) % size
    return mean_map[..., rows[:, None], columns].mean(axis=-2)


def direction(profile: np.ndarray) -> dict[str, float]:
    """Where attention lies relative to the query's azimuth.

    Args:
        profile: float [T], of `offsets`.

    Returns:
        "own", "neighbours" (one azimuth to either side) and "elsewhere":
        shares that sum to one; "offset_degrees", the mean absolute offset,
        0..180.
    """
    size = len(profile)
    distance = np.abs(np.arange(size) - size // 2)
    own = float(profile[distance == 0].sum())
    neighbours = float(profile[distance == 1].sum())
    return {
        "own": own,
        "neighbours": neighbours,
        "elsewhere": 1.0 - own - neighbours,
        "offset_degrees": float(profile @ distance) * 360 / size,
    }


def even_direction(size: int) -> dict[str, float]:
    """`direction` of attention that is spread evenly over `size` azimuths."""
    return direction(np.full(size, 1 / size))


def mean_of(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each figure, over heads."""
    return {
        name: float(np.mean([f[name] for f in figures])) for name in figures[0]
    }
