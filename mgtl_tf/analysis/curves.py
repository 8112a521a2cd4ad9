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

_OVER = "recurrent step"
KNOWLEDGE_NAMES = {
    "satellite_from_ground": "L_S, from the panorama",
    "ground_from_satellite": "L_G, from the aerial image",
}
_PARTS = {
    "fixed": "the same azimuths, whoever asks",
    "asking": "decided by the azimuth that asks",
    "image": "decided by the image",
}


def draw_recalls(figures: Figures, path: Path) -> None:
    """r@1 and r@5 when the recurrence stops at each step."""
    figure, axis = new_chart("recall, %", "stopping after this step")
    ways = (
        ("ground_to_satellite", "panorama to aerial"),
        ("satellite_to_ground", "aerial to panorama"),
    )
    for (way, name), color in zip(ways, COLORS, strict=False):
        for key, style in (("r@1", "-"), ("r@5", ":")):
            values = [100 * step[key] for step in figures["recall"][way]]
            _line(axis, values, f"{name}, {key}", color, style)
    axis.set_ylim(0, 102)
    save_chart(figure, axis, path)


def draw_errors(figures: Figures, path: Path) -> None:
    """Error of the knowledge, as a multiple of a constant guess's."""
    figure, axis = new_chart("error / error of a constant guess", _OVER)
    _own_and_other(axis, figures, "normalized_mse")
    values = _column(figures["views"], "normalized_mse")
    _line(axis, values, "F_G taken for F_S, nothing generated", COLORS[2], "-")
    axis.axhline(1, color=QUIET_COLOR, ls="--", label="constant guess")
    axis.set_ylim(bottom=0)
    save_chart(figure, axis, path, legend_below=True)


def draw_likeness(figures: Figures, path: Path) -> None:
    """Cosines without what all places share: true pairs and others."""
    figure, axis = new_chart("cosine (centred)", _OVER)
    _own_and_other(axis, figures, "centred_cosine")
    values = _column(figures["views"], "centred_cosine")
    _line(axis, values, "F_G and F_S, nothing generated", COLORS[2], "-")
    save_chart(figure, axis, path, legend_below=True)


def _own_and_other(axis: Any, figures: Figures, measure: str) -> None:
    """A measure of all knowledge, against its own place and another."""
    for color, (name, steps) in _knowledge(figures):
        for prefix, style, whose in (
            ("", "-", "its own place"),
            ("other_", ":", "another place"),
        ):
            values = _column(steps, f"{prefix}{measure}")
            label = f"{KNOWLEDGE_NAMES[name]}: {whose}"
            _line(axis, values, label, color, style)


def draw_ranks(figures: Figures, path: Path) -> None:
    """How often knowledge finds its own place's tokens first."""
    figure, axis = new_chart("own place found first, %", _OVER)
    for color, (name, steps) in _knowledge(figures):
        _line(axis, _first(steps), KNOWLEDGE_NAMES[name], color, "-")
    views = _first(figures["views"])
    _line(axis, views, "F_G finds F_S, nothing generated", COLORS[2], "-")
    axis.axhline(
        100 * figures["chance"], color=QUIET_COLOR, ls="--", label="chance"
    )
    axis.set_ylim(-2, 102)
    save_chart(figure, axis, path, legend_below=True)


def draw_focus(steps: Sequence[Figures], path: Path) -> None:
    """What decides the attention of one view: bars of three parts a step.

    Args:
        steps: one view's list of "attention".
        path: of the SVG file.
    """
    figure, axis = new_chart("focus, % of the utmost", _OVER)
    numbers = np.arange(1, len(steps) + 1)
    bottom = np.zeros(len(steps))
    for part, color in zip(FOCUS_PARTS, COLORS, strict=False):
        values = np.array([100 * step[part] for step in steps])
        axis.bar(
            numbers,
            values,
            0.6,
            bottom,
            color=color,
            alpha=0.75,
            label=_PARTS[part],
        )
        bottom += values
    # A head of its own may be far from the mean.
    for number, step in zip(numbers, steps, strict=True):
        own = [100 * head["focus"] for head in step["heads"]]
        axis.plot([number] * len(own), own, "_", color="#0f172a", ms=9)
    axis.plot([], [], "_", color="#0f172a", label="each head")
    axis.set_xticks(numbers)
    axis.set_axisbelow(True)
    axis.set_ylim(bottom=0)
    save_chart(figure, axis, path, legend_below=True)


def draw_offsets(steps: Sequence[Figures], path: Path) -> None:
    """Attention by offset from the asking azimuth, the mean over heads.

    Args:
        steps: one view's list of "attention".
        path: of the SVG file.
    """
    over = "degrees from the azimuth that asks, clockwise"
    figure, axis = new_chart("times the even share", over)
    size = len(steps[0]["profile"])
    degrees = (np.arange(size) - size // 2) * 360 / size
    shades = np.linspace(0.25, 1, len(steps))
    for number, (step, shade) in enumerate(zip(steps, shades, strict=True), 1):
        values = size * np.array(step["profile"])
        axis.plot(
            degrees,
            values,
            color=COLORS[0],
            alpha=shade,
            marker=".",
            ms=4,
            label=f"step {number}",
        )
    axis.axhline(1, color=QUIET_COLOR, ls="--", label="even")
    axis.set_xticks(range(-180, 181, 90))
    axis.set_ylim(bottom=0)
    save_chart(figure, axis, path, legend_below=True)


def draw_shared_light(figures: Figures, path: Path) -> None:
    """Whether both views of a place attend to the same azimuths."""
    label = "cosine (centred)"
    figure, axis = new_chart(label, _OVER)
    for key, style, name in (
        ("own", "-", "both views of a place"),
        ("other", ":", "a panorama and another place's aerial image"),
    ):
        values = [step[key] for step in figures["shared_light"]]
        _line(axis, values, name, COLORS[0], style)
    axis.set_ylim(-0.3, 1.02)
    save_chart(figure, axis, path, legend_below=True)


def _knowledge(figures: Figures) -> list[tuple[str, tuple[str, Any]]]:
    """(color, (name, steps)) of what is generated."""
    named = figures["knowledge"].items()
    return list(zip(COLORS, named, strict=False))


def _column(steps: Sequence[Figures], name: str) -> list[float]:
    """None, of a collapsed model, is left out of the line."""
    return [np.nan if s[name] is None else s[name] for s in steps]


def _first(steps: Sequence[Figures]) -> list[float]:
    return [100 * step["recall"]["r@1"] for step in steps]


def _line(
    axis: Axes, values: Sequence[float], label: str, color: str, style: str
) -> None:
    numbers = range(1, len(values) + 1)
    axis.plot(
        numbers, values, color=color, ls=style, marker="o", ms=3, label=label
    )
    axis.set_xticks(list(numbers))
