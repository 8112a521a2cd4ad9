"""A table as a picture: recall at 1 of every row, and of every seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mgtl_tf.reproduction.results import Table
from mgtl_tf.retrieval.report.chart_style import TEXT_COLOR, save_figure

_BAR_COLOR, _SEED_COLOR = "#2563eb", "#0f172a"


def draw_table(table: Table, title: str, path: Path) -> None:
    """Bars of the mean r@1 of our rows, a point for every seed.

    The axis begins below the lowest seed, so that differences can be seen;
    its label says so. The paper's figures are of other data and are not
    shown.

    Args:
        table: with recall; rows that were not run are left out.
        title: of the picture.
        path: of the SVG file.
    """
    # Not at import: most programs draw nothing.
    import matplotlib
    from matplotlib.figure import Figure

    shown = [row for row in table.rows if row.runs]
    figure = Figure(figsize=(7, 0.9 + 0.45 * len(shown)), layout="constrained")
    axis = figure.add_subplot()
    places = np.arange(len(shown))
    points = [100 * row.recalls("r@1") for row in shown]
    lowest = min(values.min() for values in points)
    start = max(0.0, 5 * np.floor((lowest - 5) / 5))
    means = [values.mean() for values in points]
    axis.barh(places, means, color=_BAR_COLOR, alpha=0.35, height=0.6)
    for place, values in zip(places, points, strict=True):
        heights = [place] * len(values)
        axis.plot(values, heights, "o", color=_SEED_COLOR, ms=4)
    axis.set_xlim(left=start)
    axis.set_yticks(places, [row.title for row in shown])
    axis.invert_yaxis()
    axis.set_xlabel(
        f"r@1, per cent (the axis begins at {start:g})\npoints: seeds",
        color=TEXT_COLOR,
    )
    axis.set_title(title, loc="left", fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
    # The same figures give the same bytes: no date, no random names inside.
    with matplotlib.rc_context({"svg.hashsalt": "mgtl_tf"}):
        save_figure(figure, path, "svg", metadata={"Date": None})
