"""Curves over the recurrent steps, as SVG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mgtl_tf.analysis.attention import FOCUS_PARTS
from mgtl_tf.retrieval.report.chart_style import (
    COLORS,
    QUIET_COLOR,
    new_chart,
    save_chart,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Figures = Mapping[str, Any]

_STEP = "recurrent step"
_HEAD_COLOR = "#0f172a"
_KNOWLEDGE = {
    "satellite_from_ground": "L_S, from the panorama",
    "ground_from_satellite": "L_G, from the aerial image",
}
_PARTS = {
    "fixed": "the same for all",
    "query": "by the query's azimuth",
    "image": "by the image",
}


def draw_recalls(figures: Figures, path: Path) -> None:
    """r@1 and r@5 when the recurrence stops at each step."""
    figure, axis = new_chart("recall, %", "stopping after this step")
    for color, (way, steps) in zip(
        COLORS, figures["recall"].items(), strict=False
    ):
        for key, style in (("r@1", "-"), ("r@5", ":")):
            values = [100 * step[key] for step in steps]
            _line(axis, values, f"{way.replace('_', ' ')}, {key}", color, style)
    axis.set_ylim(0, 102)
    save_chart(figure, axis, path)


def draw_errors(figures: Figures, path: Path) -> None:
    """Error of the knowledge, as a multiple of a constant prediction's."""
    figure, axis = new_chart("error / error of a constant", _STEP)
    _compared(axis, figures, "normalized_mse")
    axis.axhline(1, color=QUIET_COLOR, ls="--", label="constant prediction")
    axis.set_ylim(bottom=0)
    save_chart(figure, axis, path, legend_below=True)


def draw_similarities(figures: Figures, path: Path) -> None:
    """Centred cosines: true pairs and others."""
    figure, axis = new_chart("cosine (centred)", _STEP)
    _compared(axis, figures, "centred_cosine")
    save_chart(figure, axis, path, legend_below=True)


def _compared(axis: Axes, figures: Figures, measure: str) -> None:
    """A measure of all knowledge, against its own place and another."""
    for color, (name, steps) in zip(
        COLORS, figures["knowledge"].items(), strict=False
    ):
        label = _KNOWLEDGE[name]
        own = _column(steps, measure)
        other = _column(steps, f"other_{measure}")
        _line(axis, own, f"{label}: its own place", color)
        _line(axis, other, f"{label}: another place", color, ":")
    values = _column(figures["views"], measure)
    _line(axis, values, "F_G against F_S, nothing generated", COLORS[2])


def draw_ranks(figures: Figures, path: Path) -> None:
    """How often knowledge finds its own place's tokens first."""
    figure, axis = new_chart("own place found first, %", _STEP)
    for color, (name, steps) in zip(
        COLORS, figures["knowledge"].items(), strict=False
    ):
        _line(axis, _first(steps), _KNOWLEDGE[name], color)
    views = _first(figures["views"])
    _line(axis, views, "F_G finds F_S, nothing generated", COLORS[2])
    chance = 100 * figures["chance"]
    axis.axhline(chance, color=QUIET_COLOR, ls="--", label="chance")
    axis.set_ylim(-2, 102)
    save_chart(figure, axis, path, legend_below=True)


def draw_focus(steps: Sequence[Figures], path: Path) -> None:
    """What determines the attention of one view: bars of three parts a step.

    Args:
        steps: one view's list of "attention".
        path: of the SVG file.
    """
    figure, axis = new_chart("focus, % of the maximum", _STEP)
    numbers = np.arange(1, len(steps) + 1)
    bottom = np.zeros(len(steps))
    look: dict[str, Any] = {"width": 0.6, "alpha": 0.75}
    for part, color in zip(FOCUS_PARTS, COLORS, strict=False):
        values = np.array([100 * step[part] for step in steps])
        label = _PARTS[part]
        axis.bar(
            numbers, values, bottom=bottom, color=color, label=label, **look
        )
        bottom += values
    for number, step in zip(numbers, steps, strict=True):
        own = [100 * head["focus"] for head in step["heads"]]
        axis.plot([number] * len(own), own, "_", color=_HEAD_COLOR, ms=9)
    axis.plot([], [], "_", color=_HEAD_COLOR, label="each head")
    axis.set_xticks(numbers)
    axis.set_axisbelow(True)
    axis.set_ylim(bottom=0)
    save_chart(figure, axis, path, legend_below=True)


def draw_offsets(steps: Sequence[Figures], path: Path) -> None:
    """Attention by offset from the query's azimuth, the mean over heads.

    Args:
        steps: one view's list of "attention".
        path: of the SVG file.
    """
    over = "degrees from the query's azimuth, clockwise"
    figure, axis = new_chart("times uniform attention", over)
    size = len(steps[0]["profile"])
    degrees = (np.arange(size) - size // 2) * 360 / size
    shades = np.linspace(0.25, 1, len(steps))
    look: dict[str, Any] = {"color": COLORS[0], "marker": ".", "ms": 4}
    for number, (step, shade) in enumerate(zip(steps, shades, strict=True), 1):
        values = size * np.array(step["profile"])
        label = f"step {number}"
        axis.plot(degrees, values, alpha=shade, label=label, **look)
    axis.axhline(1, color=QUIET_COLOR, ls="--", label="uniform")
    axis.set_xticks(range(-180, 181, 90))
    axis.set_ylim(bottom=0)
    save_chart(figure, axis, path, legend_below=True)


def draw_agreement(figures: Figures, path: Path) -> None:
    """Whether both views of a place attend to the same azimuths."""
    figure, axis = new_chart("cosine (centred)", _STEP)
    steps = figures["view_agreement"]
    own, other = ([step[key] for step in steps] for key in ("own", "other"))
    _line(axis, own, "both views of a place", COLORS[0])
    label = "a panorama and another place's aerial image"
    _line(axis, other, label, COLORS[0], ":")
    axis.set_ylim(-0.3, 1.02)
    save_chart(figure, axis, path, legend_below=True)


def _column(steps: Sequence[Figures], name: str) -> list[float]:
    """None, of a collapsed model, is left out of the line."""
    return [np.nan if s[name] is None else s[name] for s in steps]


def _first(steps: Sequence[Figures]) -> list[float]:
    return [100 * step["recall"]["r@1"] for step in steps]


def _line(
    axis: Axes,
    values: Sequence[float],
    label: str,
    color: str,
    style: str = "-",
) -> None:
    numbers = range(1, len(values) + 1)
    look: dict[str, Any] = {"marker": "o", "ms": 3, "ls": style}
    axis.plot(numbers, values, color=color, label=label, **look)
    axis.set_xticks(list(numbers))
