"""Differences of angles, and what is typical of several."""

from __future__ import annotations

import numpy as np

DEGREES = 12.0
"""Largest error of a heading that counts as right."""


def wrapped(degrees: np.ndarray) -> np.ndarray:
    """The same angles from -180 to below 180, float64."""
    return (np.asarray(degrees, np.float64) + 180) % 360 - 180


def typical(degrees: np.ndarray) -> float:
    """The median of angles about their mean direction, -180 to below 180.

    Args:
        degrees: [N], N >= 1.
    """
    turns = np.exp(1j * np.radians(np.asarray(degrees, np.float64)))
    mean = np.degrees(np.angle(turns.mean()))
    return float(wrapped(mean + np.median(wrapped(degrees - mean))))


def less_typical(errors: np.ndarray) -> np.ndarray:
    """Angles without the constant that is common to them, wrapped, [N].

    From those of even places what is typical of the odd ones is taken, and
    the other way round: nothing is measured against a constant that it
    helped to find. A single one stays as it is.

    Args:
        errors: degrees, [N].
    """
    left = np.array(errors, np.float64)
    for part in (0, 1):
        if len(others := errors[1 - part :: 2]):
            left[part::2] -= typical(others)
    return wrapped(left)
