"""Times, bytes and counts as a reader takes them in."""

from __future__ import annotations

import numpy as np

_DAY, _HOUR, _MINUTE = 86_400.0, 3_600.0, 60.0


def short_count(size: int) -> str:
    """Such as 16k, 10M."""
    for unit, letter in ((10**6, "M"), (1000, "k")):
        if size >= unit:
            return f"{size / unit:g}{letter}"
    return f"{size}"


def in_time(seconds: float) -> str:
    """Two digits, in the unit that suits: 0.031 s, 4.2 min, 12 h, 3.1 days."""
    for unit, name in ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{two_digits(seconds / unit)} {name}"
    return "unknown" if np.isnan(seconds) else f"{two_digits(seconds)} s"


def in_bytes(count: float) -> str:
    """Two digits, in the unit that suits: 310 MB, 7.5 TB."""
    for unit, name in ((1e12, "TB"), (1e9, "GB")):
        if count >= unit:
            return f"{two_digits(count / unit)} {name}"
    return "unknown" if np.isnan(count) else f"{two_digits(count / 1e6)} MB"


def two_digits(value: float) -> str:
    """Two digits, or all before the point."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
