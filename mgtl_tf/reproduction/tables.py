"""A table of the paper as text and picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mgtl_tf.reproduction.cells import cells_of
from mgtl_tf.reproduction.notes import notes_of
from mgtl_tf.reproduction.results import Table
from mgtl_tf.retrieval.report.charts import COLORS, new_figure


def as_text(table: Table) -> str:
    """For a screen: columns aligned by blanks."""
    notes = [f"  {note}" for note in notes_of(table)]
    return "\n".join([title_of(table), "", _layout(table, "simple"), *notes])


def as_markdown(table: Table) -> str:
    """For a page; the first column to the left, others to the right."""
    notes = "\n".join(f"- {note}" for note in notes_of(table))
    return f"**{title_of(table)}**\n\n{_layout(table, 'pipe')}\n\n{notes}"


def _layout(table: Table, style: str) -> str:
    # Not at import: pandas takes a second.
    import pandas

    frame = pandas.DataFrame(cells_of(table))
    sides = ["left", *["right"] * (len(frame.columns) - 1)]
    return frame.to_markdown(
        index=False, tablefmt=style, colalign=sides, disable_numparse=True
    )


def title_of(table: Table) -> str:
    """The table's name, its data and its gallery."""
    if table.number == 3:
        return "Table 3. Complexity"
    title = f"{table.heading}. {table.measured_on}"
    size = table.places
    return f"{title}, gallery of {size:,} places" if size else title


def draw_table(table: Table, title: str, path: Path) -> None:
    """Bars of the mean r@1 of our rows that were run, a point for every seed.

    The axis begins below the lowest seed, so that differences can be seen.

    Args:
        table: with recall.
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
