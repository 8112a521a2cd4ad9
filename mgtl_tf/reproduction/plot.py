"""A table as a picture: recall at 1 of every row, and of every seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgtl_tf.reproduction.results import RowResult
from mgtl_tf.retrieval.report.chart_style import save_figure

_OURS, _SEED = "#2563eb", "#0f172a"
_TEXT = "#475569"


def draw_rows(rows: Sequence[RowResult], title: str, path: Path) -> None:
    """Bars of the mean r@1 of our rows, a point for every seed.

    The axis begins below the lowest seed, so that differences can be seen;
    its label says so. The paper's figures are of other data and have no
    place on it.

    Args:
        rows: those that were run, from the top.
        title: of the picture.
        path: of the SVG file.
    """
    # Not at import: most programs draw nothing.
    import matplotlib
    from matplotlib.figure import Figure

    shown = [row for row in rows if row.seeds]
    figure = Figure(figsize=(7, 0.9 + 0.45 * len(shown)), layout="constrained")
    axis = figure.add_subplot()
    places = np.arange(len(shown))
    points = [[100 * seed.recalls["r@1"] for seed in r.seeds] for r in shown]
    lowest = min(min(values) for values in points)
    start = max(0.0, 5 * np.floor((lowest - 5) / 5))
    means = [float(np.mean(values)) for values in points]
    axis.barh(places, means, color=_OURS, alpha=0.35, height=0.6)
    for place, values in zip(places, points, strict=True):
        axis.plot(values, [place] * len(values), "o", color=_SEED, ms=4)
    axis.set_xlim(left=start)
    axis.set_yticks(places, [row.title for row in shown])
    axis.invert_yaxis()
    axis.set_xlabel(
        f"r@1, per cent (the axis begins at {start:g})\npoints: seeds",
        color=_TEXT,
    )
    axis.set_title(title, loc="left", fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
    # The same figures give the same bytes: no date, no random names inside.
    with matplotlib.rc_context({"svg.hashsalt": "mgtl_tf"}):
        save_figure(figure, path, "svg", metadata={"Date": None})
