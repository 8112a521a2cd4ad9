"""How every curve of every page looks, and how every figure is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgtl_tf.utils.atomic_io import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#2563eb", "#ea580c", "#16a34a", "#9333ea")
"""Of lines, in order."""

GRID_COLOR = "#e2e8f0"
TEXT_COLOR = "#475569"
QUIET_COLOR = "#94a3b8"
"""Of lines that others are held against, such as chance."""


def new_chart(value: str, over: str) -> tuple[Any, Axes]:
    """A figure and its one axis, with their labels."""
    from matplotlib.figure import Figure

    figure = Figure((5.6, 3.3), layout="constrained")
    axis = figure.add_subplot()
    axis.set_xlabel(over, color=TEXT_COLOR)
    axis.set_ylabel(value, color=TEXT_COLOR)
    axis.grid(color=GRID_COLOR, linewidth=0.8)
    axis.tick_params(which="both", colors=TEXT_COLOR, length=0)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(GRID_COLOR)
    return figure, axis


def save_chart(
    figure: Any, axis: Axes, path: Path, legend_below: bool = False
) -> None:
    """Writes an SVG file, with a legend where there are several lines.

    Args:
        figure, axis: of `new_chart`.
        path: of the file.
        legend_below: whether the legend stands under the axis, where lines
            leave it no room.
    """
    if len(axis.get_lines()) > 1:
        look = {"frameon": False, "fontsize": 8, "labelcolor": TEXT_COLOR}
        if legend_below:
            figure.legend(loc="outside lower center", ncols=2, **look)
        else:
            axis.legend(**look)
    # Without the date, the same figures give the same file.
    save_figure(figure, path, "svg", metadata={"Date": None})


def save_figure(
    figure: Any, path: Path, file_format: str, **settings: Any
) -> None:
    """Writes a figure beside its name first, then renames it.

    Args:
        figure: of Matplotlib.
        path: of the file; one that is there stays as it is until the new one
            is whole.
        file_format: as of `Figure.savefig`, with further `settings`.

    Raises:
        UserError: naming the file, where it cannot be written.
    """
    with atomic_file(path) as beside:
        figure.savefig(beside, format=file_format, **settings)
