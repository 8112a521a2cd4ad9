"""Curves over the recurrent steps, as SVG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.analysis.attention import FOCUS_PARTS
from mgtl_tf.retrieval.report.charts import BASELINE, COLORS, chart

Steps = Sequence[Mapping[str, Any]]

_STYLES = ("-", ":")
_PARTS = {
    "fixed": "the same for all",
    "query": "by the query's azimuth",
    "image": "by the image",
}


def draw_steps(
    path: Path,
    steps: Steps,
    group: str,
    measures: Mapping[str, str],
    ylabel: str,
    scale: float = 1.0,
    baseline: tuple[float, str] | None = None,
) -> None:
    """Measures by step, a colour a group and a line style a measure.

    Args:
        path: of the SVG file.
        steps: entries of a list of `look_figures`.
        group: key of an entry that names its group; "" where there is one.
        measures: one or two keys to labels.
        ylabel: of the axis.
        scale: factor of all values.
        baseline: a constant to compare with, and its label.
    """
    groups = dict.fromkeys(entry.get(group, "") for entry in steps)
    with chart(path, ylabel, "recurrent step", legend_below=True) as axis:
        for name, color in zip(groups, COLORS, strict=False):
            own = [entry for entry in steps if entry.get(group, "") == name]
            numbers = [entry["step"] for entry in own]
            for (key, label), style in zip(
                measures.items(), _STYLES, strict=False
            ):
                # None, of a collapsed model, is left out of the line.
                values = scale * np.array([e[key] for e in own], np.float64)
                text = ": ".join(filter(None, (name, label)))
                axis.plot(numbers, values, f"o{style}", c=color, label=text)
            axis.set_xticks(numbers)
        if baseline:
            axis.axhline(baseline[0], **BASELINE, label=baseline[1])


def draw_focus(path: Path, steps: Steps) -> None:
    """What determines the attention of one view: bars of three parts a step.

    Args:
        path: of the SVG file.
        steps: one view's entries of "attention".
    """
    numbers = [entry["step"] for entry in steps]
    bottom = np.zeros(len(steps))
    ylabel = "focus, % of the maximum"
    with chart(path, ylabel, "recurrent step", legend_below=True) as axis:
        for part, color in zip(FOCUS_PARTS, COLORS, strict=False):
            values = np.array([100 * entry[part] for entry in steps])
            look: dict[str, Any] = {"color": color, "label": _PARTS[part]}
            axis.bar(numbers, values, 0.6, bottom, alpha=0.75, **look)
            bottom += values
        heads = np.array([entry["head_focus"] for entry in steps])  # [L, heads]
        labels = ["each head", *[None] * (heads.shape[1] - 1)]
        axis.plot(numbers, 100 * heads, "k_", ms=9, label=labels)
        axis.set_xticks(numbers)
        axis.set_ylim(bottom=0)


def draw_offsets(path: Path, steps: Steps) -> None:
    """Attention by offset from the query's azimuth, the mean over heads.

    Args:
        path: of the SVG file.
        steps: one view's entries of "attention".
    """
    size = len(steps[0]["profile"])
    degrees = (np.arange(size) - size // 2) * 360 / size
    xlabel = "degrees from the query's azimuth, clockwise"
    with chart(path, "times uniform attention", xlabel, True) as axis:
        shades = np.linspace(0.25, 1, len(steps))
        for entry, shade in zip(steps, shades, strict=True):
            axis.plot(
                degrees,
                size * np.array(entry["profile"]),
                "o-",
                color=COLORS[0],
                alpha=shade,
                label=f"step {entry['step']}",
            )
        axis.axhline(1, **BASELINE, label="uniform")
        axis.set_xticks(range(-180, 181, 90))
        axis.set_ylim(bottom=0)
