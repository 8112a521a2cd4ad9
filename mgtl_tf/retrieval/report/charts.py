"""Charts and figures of all pages: one style, and files that are complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mgtl_tf.utils.atomic_io import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#2563eb", "#ea580c", "#16a34a", "#9333ea")
"""Of lines, in order."""

BASELINE: dict[str, Any] = {"color": "#94a3b8", "ls": "--"}
"""Style of lines that others are compared with, such as chance."""

TEXT_COLOR = "#475569"
FRAME_COLOR = "#cbd5e1"
_GRID_COLOR = "#e2e8f0"

_STYLE: Any = {
    "axes.edgecolor": _GRID_COLOR,
    "axes.labelcolor": TEXT_COLOR,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": TEXT_COLOR,
    "axes.titlesize": 10,
    "grid.color": _GRID_COLOR,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.labelcolor": TEXT_COLOR,
    "lines.markersize": 3,
    "savefig.dpi": 110,
    # The same figures give the same bytes.
    "svg.hashsalt": "mgtl_tf",
    # A file's name may hold a $, which begins no formula here.
    "text.parse_math": False,
    "xtick.color": TEXT_COLOR,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.color": TEXT_COLOR,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


_TRAINING_CURVES: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    (
        "loss.svg",
        "loss",
        {
            "loss": "total",
            "triplet_loss": "triplet",
            "info_nce_loss": "InfoNCE",
            "generative_loss": "generative, before its weight",
        },
    ),
    (
        "distances.svg",
        "distance",
        {
            "positive_distance": "positive pairs",
            "negative_distance": "negative pairs",
        },
    ),
    ("rate.svg", "pairs a second", {"pairs_per_second": "training"}),
)


@contextmanager
def new_figure(path: Path | str, width: float, height: float) -> Iterator[Any]:
    """An empty Matplotlib figure, written to a file at the end of the block.

    Args:
        path: .svg, .jpg, .jpeg or .png.
        width, height: in inches of 110 pixels.

    Raises:
        UserError: naming the file, where it cannot be written.
    """
    # Not at import: most programs draw nothing. Not pyplot, which would keep
    # every figure and choose a display.
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure((width, height), layout="constrained")
        yield figure
        save_figure(figure, path)


@contextmanager
def chart(
    path: Path | str, ylabel: str, xlabel: str, legend_below: bool = False
) -> Iterator[Axes]:
    """The axis of a new chart, written as SVG at the end of the block.

    Args:
        path: of the SVG file.
        ylabel, xlabel: of the axis.
        legend_below: whether the legend stands under the axis, where lines
            leave it no room. A single line has none.

    Raises:
        UserError: naming the file, where it cannot be written.
    """
    with new_figure(path, 5.6, 3.3) as figure:
        axis = figure.add_subplot(ylabel=ylabel, xlabel=xlabel)
        axis.set_prop_cycle(color=COLORS)
        axis.set_axisbelow(True)
        axis.grid()
        yield axis
        if len(axis.get_legend_handles_labels()[0]) > 1:
            if legend_below:
                figure.legend(loc="outside lower center", ncols=2)
            else:
                axis.legend()


def save_figure(figure: Figure, path: Path | str) -> None:
    """Writes a figure; an older file stays until the new one is complete.

    Raises:
        UserError: naming the file, where it cannot be written.
    """
    kind = Path(path).suffix.lower().lstrip(".")
    undated: Any = {"metadata": {"Date": None}} if kind == "svg" else {}
    with atomic_file(path) as beside:
        figure.savefig(beside, format=kind, **undated)


def draw_training(folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Draws the curves of what metrics.jsonl holds.

    Args:
        folder: of the SVG files.
        records: its lines, of all kinds.
    """
    if training := [r for r in records if r["kind"] == "train"]:
        for name, ylabel, lines in _TRAINING_CURVES:
            log = ylabel == "loss"
            _draw_over_steps(folder / name, training, lines, ylabel, log)
    keys = ("r@1", "r@5", "r@10")
    evaluations = [
        {"step": r["step"]}
        | {key: 100 * r["ground_to_satellite"][key] for key in keys}
        for r in records
        if r["kind"] == "evaluation"
    ]
    if evaluations:
        lines = {key: key for key in keys}
        _draw_over_steps(
            folder / "recalls.svg", evaluations, lines, "recall, %"
        )


def _draw_over_steps(
    path: Path,
    records: Sequence[Mapping[str, Any]],
    lines: Mapping[str, str],
    ylabel: str,
    log: bool = False,
) -> None:
    """Values of metrics.jsonl over the training steps.

    Args:
        path: of the SVG file.
        records: lines of one kind, one or more.
        lines: key of a record to label; keys that no record has, or of which
            all values are zero (parts of the loss that are off), are left out.
        ylabel: of the axis.
        log: whether its scale is logarithmic.
    """
    steps = [record["step"] for record in records]
    style = "o" if len(steps) == 1 else "-"
    with chart(path, ylabel, "step") as axis:
        for (key, label), color in zip(lines.items(), COLORS, strict=False):
            values = [record.get(key, 0) for record in records]
            if any(values):
                axis.plot(steps, values, style, c=color, label=label)
        if log:
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("")
        else:
            axis.set_ylim(bottom=0)


def draw_recall_curve(
    ranks: Mapping[str, np.ndarray], gallery_size: int, path: Path
) -> None:
    """The share of queries answered within the first K places, for every K.

    Args:
        ranks: rank of the true place of each query, by direction.
        gallery_size: N.
        path: of the SVG file.
    """
    ks = np.arange(1, gallery_size + 1)
    with chart(path, "queries answered, %", "K") as axis:
        for name, values in ranks.items():
            within = np.searchsorted(np.sort(values), ks, side="right")
            share = 100 * within / len(values)
            axis.step(ks, share, where="post", label=name)
        axis.plot(ks, 100 * ks / gallery_size, **BASELINE, label="chance")
        if gallery_size > 20:
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter("{x:,.0f}")
            axis.xaxis.set_minor_formatter("")
        axis.set_ylim(0, 102)
