"""Statistics of attention: how focused it is, on what, and how far away.

The focus of attention over T azimuths is log(T) - H nats, H its mean entropy:
0 where it is uniform, log(T) where each query attends to one azimuth. It is
the sum of three parts, none of them negative, because a mean of distributions
has at least their mean entropy:

    fixed:  log(T) - H(mean over places and queries)    the same for all,
    query:  H(that mean) - mean_t H(mean over places)   the query's azimuth,
    image:  mean_t H(mean over places) - H              the image.

Only the last part depends on what the image shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import entr

FOCUS_PARTS = ("fixed", "query", "image")
"""Parts of the focus, in the order above."""


def entropy(shares: np.ndarray) -> np.ndarray:
    """Entropy in nats of distributions along the last axis."""
    return entr(np.asarray(shares, np.float64)).sum(axis=-1)


def focus(mean_map: np.ndarray, mean_entropy: float) -> dict[str, float]:
    """How focused a head's attention is, and what determines it.

    Args:
        mean_map: float [T, T'], the mean attention over places.
        mean_entropy: the mean over places and tokens, nats.

    Returns:
        "azimuths", the exponential of the entropy: the effective number of
        azimuths, of T', that are attended to; "focus", that is
        1 - entropy / log(T'), and its parts "fixed", "query" and "image",
        which sum to it.
    """
    uniform = np.log(mean_map.shape[-1])
    levels = np.array(
        [
            uniform,
            entropy(mean_map.mean(axis=0)),
            entropy(mean_map).mean(),
            mean_entropy,
        ]
    )
    parts = -np.diff(levels) / uniform
    return {
        "azimuths": float(np.exp(mean_entropy)),
        "focus": float(parts.sum()),
        **dict(zip(FOCUS_PARTS, parts.tolist(), strict=True)),
    }


def offsets(mean_map: np.ndarray) -> np.ndarray:
    """The share of attention at every offset from the query's azimuth.

    Args:
        mean_map: float [..., T, T], rows sum to one.

    Returns:
        float [..., T]: entry k is the mean over tokens t of the attention to
        (t + k - T // 2) mod T: the middle is the token's own azimuth, the
        right of it is clockwise. Azimuths are circular.
    """
    size = mean_map.shape[-1]
    rows = np.arange(size)[:, None]
    columns = (rows + np.arange(size) - size // 2) % size
    return mean_map[..., rows, columns].mean(axis=-2)


def direction(profile: np.ndarray) -> dict[str, float]:
    """Where attention lies relative to the query's azimuth.

    Args:
        profile: float [T], of `offsets`.

    Returns:
        "own" and "neighbours" (one azimuth to either side), shares of the
        attention; "offset_degrees", the mean absolute offset, 0..180.
    """
    size = len(profile)
    distance = np.abs(np.arange(size) - size // 2)
    return {
        "own": float(profile[distance == 0].sum()),
        "neighbours": float(profile[distance == 1].sum()),
        "offset_degrees": float(profile @ distance) * 360 / size,
    }


def attention_figures(attention: np.ndarray) -> list[dict[str, Any]]:
    """Focus and direction of every step's attention, the mean over heads.

    Args:
        attention: float [L, N, heads, T, T'].

    Returns:
        an entry a step: "step" from 1, the figures of `focus` and
        `direction`, "head_focus" of every head, "profile" of `offsets`.
    """
    found = []
    for number, step in enumerate(attention, 1):
        maps = step.mean(axis=0, dtype=np.float64)  # [heads, T, T']
        nats = entropy(step).mean(axis=(0, 2))  # [heads]
        heads = [focus(*head) for head in zip(maps, nats, strict=True)]
        profile = offsets(maps).mean(axis=0)
        means = {k: float(np.mean([h[k] for h in heads])) for k in heads[0]}
        found.append(
            {
                "step": number,
                **means,
                **direction(profile),
                "head_focus": [head["focus"] for head in heads],
                "profile": profile.tolist(),
            }
        )
    return found
