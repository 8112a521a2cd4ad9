"""The report's curves, as SVG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mgtl_tf.retrieval.report.chart_style import COLORS, new_chart, save_chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Records = Sequence[Mapping[str, Any]]


def draw_losses(records: Records, path: Path) -> None:
    """The loss and its parts over the steps, logarithmic."""
    figure, axis = new_chart("loss", "step")
    _lines(
        axis,
        _of_kind(records, "train"),
        {
            "loss": "total",
            "triplet_loss": "triplet (places apart)",
            "info_nce_loss": "InfoNCE (places apart)",
            "generative_loss": "generative (knowledge), before its weight",
        },
    )
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("")
    save_chart(figure, axis, path)


def draw_distances(records: Records, path: Path) -> None:
    """Mean squared distance of true and of wrong pairs over the steps."""
    figure, axis = new_chart("distance", "step")
    _lines(
        axis,
        _of_kind(records, "train"),
        {
            "positive_distance": "view and its own place",
            "negative_distance": "view and wrong places",
        },
    )
    axis.set_ylim(bottom=0)
    save_chart(figure, axis, path)


def draw_rate(records: Records, path: Path) -> None:
    """Pairs a second over the steps."""
    figure, axis = new_chart("pairs a second", "step")
    names = {"pairs_per_second": "training"}
    _lines(axis, _of_kind(records, "train"), names)
    axis.set_ylim(bottom=0)
    save_chart(figure, axis, path)


def draw_recalls(records: Records, path: Path) -> None:
    """Validation recall over the steps, ground to satellite."""
    figure, axis = new_chart("recall, %", "step")
    evaluations = _of_kind(records, "evaluation")
    steps = [record["step"] for record in evaluations]
    for key, color in zip(("r@1", "r@5", "r@10"), COLORS, strict=False):
        values = [
            100 * record["ground_to_satellite"][key] for record in evaluations
        ]
        axis.plot(steps, values, color=color, marker="o", ms=3, label=key)
    axis.set_ylim(0, 102)
    save_chart(figure, axis, path)


def draw_recall_curve(
    ranks: Mapping[str, np.ndarray], gallery_size: int, path: Path
) -> None:
    """The share of queries answered within the first K places, for every K.

    Args:
        ranks: rank of the true place of each query, by direction.
        gallery_size: N.
        path: of the SVG file.
    """
    figure, axis = new_chart("queries answered, %", "K, places looked at")
    ks = np.arange(1, gallery_size + 1)
    for (name, values), color in zip(ranks.items(), COLORS, strict=False):
        within = np.searchsorted(np.sort(values), ks, side="right")
        share = 100 * within / len(values)
        axis.step(ks, share, where="post", color=color, label=name)
    chance = 100 * ks / gallery_size
    axis.plot(ks, chance, color="#94a3b8", ls="--", label="blind guessing")
    if gallery_size > 20:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.set_ylim(0, 102)
    save_chart(figure, axis, path)


def _of_kind(records: Records, kind: str) -> list[Mapping[str, Any]]:
    return [record for record in records if record["kind"] == kind]


def _lines(
    axis: Axes, records: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> None:
    """One line a key; a mark where there is a single record."""
    steps = [record["step"] for record in records]
    marker = "o" if len(steps) == 1 else ""
    logged = {key: name for key, name in names.items() if key in records[0]}
    for (key, name), color in zip(logged.items(), COLORS, strict=False):
        values = [record[key] for record in records]
        if not any(values):  # a loss part that this config has not
            continue
        axis.plot(steps, values, color=color, marker=marker, label=name)
