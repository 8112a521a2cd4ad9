"""A table as a picture: recall at 1 of every row, and of every seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mgtl_tf.reproduction.results import Table
from mgtl_tf.retrieval.report.charts import COLORS, new_figure


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
    rows = [row for row in table.rows if row.runs]
    seeds = [100 * row.recalls("r@1") for row in rows]
    start = max(0.0, 5 * np.floor((min(map(np.min, seeds)) - 5) / 5))
    with new_figure(path, 7, 0.9 + 0.45 * len(rows)) as figure:
        axis = figure.add_subplot()
        means = [values.mean() for values in seeds]
        axis.barh(range(len(rows)), means, 0.6, color=COLORS[0], alpha=0.35)
        for place, values in enumerate(seeds):
            axis.plot(values, [place] * len(values), "ko", ms=4)
        axis.set_xlim(left=start)
        axis.set_yticks(range(len(rows)), [row.title for row in rows])
        axis.invert_yaxis()
        axis.set_xlabel(
            f"r@1, per cent (the axis begins at {start:g})\npoints: seeds"
        )
        axis.set_title(title, loc="left")
