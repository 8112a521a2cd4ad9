"""Columns of a table that are measured on further data sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mgtl_tf.reproduction.paper import RECALLS
from mgtl_tf.reproduction.results import FurtherResult, RunResult

WITH_INTERVAL = ("r@1", "r@5")
_LEVEL = 0.95


def binomial_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of hits, by Clopper and Pearson.

    Args:
        share: hits of `count`; the mean of several runs need not be a whole
            number of hits.
        count: of queries, at least 1.

    Returns:
        lower and upper bound, fractions.
    """
    # Not at import: scipy.stats takes half a second.
    from scipy import stats

    hits, tail = share * count, (1 - _LEVEL) / 2
    low = stats.beta.ppf(tail, hits, count - hits + 1) if hits > 0 else 0.0
    high = 1.0
    if hits < count:
        high = stats.beta.ppf(1 - tail, hits + 1, count - hits)
    return float(low), float(high)


def interval_text(share: float, count: int) -> str:
    """Such as "12.3 to 45.6", per cent."""
    return "{:.1f} to {:.1f}".format(
        *(100 * bound for bound in binomial_interval(share, count))
    )


def further_name(sets: Sequence[str]) -> str:
    """Such as "cvusa + cvact"."""
    return " + ".join(sets)


def further_cells(
    gallery: FurtherResult, runs: Sequence[RunResult]
) -> dict[str, str]:
    """Column name to cell; the mean over runs, blank where none was measured.

    Args:
        gallery: any result of the table on it.
        runs: of the row.
    """
    found = [run.further for run in runs if run.further]
    cells = {"pairs": f"{gallery.pairs:,}"}
    for key in RECALLS:
        share = float(np.mean([f.recalls[key] for f in found] or [0]))
        cells[key] = f"{100 * share:.1f}"
        if key in WITH_INTERVAL:
            cells[f"{key}, 95 %"] = interval_text(share, gallery.pairs)
    median = float(np.mean([f.median_rank for f in found] or [0]))
    cells["median rank"] = f"{median:.1f}"
    name = further_name(gallery.sets)
    return {
        f"{name}: {key}": cell if found else "" for key, cell in cells.items()
    }


def further_note(gallery: FurtherResult) -> str:
    """What those columns are of."""
    return (
        f"{further_name(gallery.sets)}: {gallery.pairs:,} pairs, in one joint"
        f" gallery of {gallery.places:,} distinct aerial images (digest"
        f" {gallery.gallery}); the mean over seeds and, of these pairs, its"
        " 95 % interval by Clopper and Pearson. Measured with the finished"
        " runs; no part of the other columns."
    )
