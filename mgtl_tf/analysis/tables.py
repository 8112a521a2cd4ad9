"""The page's figures as text, one line a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mgtl_tf.analysis.attention import FOCUS_PARTS

Figures = Mapping[str, Any]

_SYMBOLS = {
    "satellite_from_ground": "L_S, F_S",
    "ground_from_satellite": "L_G, F_G",
}
_VIEWS = "F_G, F_S"


@dataclass(frozen=True)
class Table:
    """Heads, and rows of as many cells."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def approach_table(figures: Figures) -> Table:
    """Cosines and errors of every compared pair of tokens."""
    heads = [
        "compared",
        "step",
        "cosine: own place",
        "another",
        "without what is shared: own",
        "another",
        "MSE",
        "/ constant guess: own",
        "another",
    ]
    names = (
        "cosine",
        "other_cosine",
        "centred_cosine",
        "other_centred_cosine",
        "mse",
        "normalized_mse",
        "other_normalized_mse",
    )
    rows = [
        [symbols, f"{number}", *(_number(step[name], 3) for name in names)]
        for symbols, number, step in _compared(figures)
    ]
    return Table(heads, rows)


def rank_table(figures: Figures) -> Table:
    """How often tokens find their own place's, in per cent, and ranks."""
    heads = ["finds", "step", "r@1", "r@5", "r@10", "median rank"]
    rows = []
    for symbols, number, step in _compared(figures):
        recall = step["recall"]
        rows.append([symbols, f"{number}", *_recall_cells(recall)])
    return Table(heads, rows)


def attention_table(figures: Figures) -> Table:
    """Focus and direction of both views, the mean over heads."""
    heads = [
        "view",
        "step",
        "spread over azimuths",
        "focus, %",
        "fixed",
        "asking",
        "image",
        "own azimuth, %",
        "neighbours, %",
        "mean offset, degrees",
    ]
    even = figures["even_attention"]
    rows = [
        [
            "even",
            "",
            f"{figures['azimuths']:.1f}",
            *["0.0"] * 4,
            *_direction_cells(even),
        ]
    ]
    for view, steps in figures["attention"].items():
        for number, step in enumerate(steps, 1):
            shares = [step["focus"], *(step[part] for part in FOCUS_PARTS)]
            rows.append(
                [
                    view,
                    f"{number}",
                    f"{step['azimuths']:.1f}",
                    *(f"{100 * share:.1f}" for share in shares),
                    *_direction_cells(step),
                ]
            )
    return Table(heads, rows)


def recall_table(figures: Figures) -> Table:
    """Recall when stopping after each step, in per cent, both ways."""
    heads = ["direction", "after step", "r@1", "r@5", "r@10", "median rank"]
    rows = [
        [way.replace("_", " "), f"{number}", *_recall_cells(step)]
        for way, steps in figures["recall"].items()
        for number, step in enumerate(steps, 1)
    ]
    return Table(heads, rows)


def _compared(figures: Figures) -> list[tuple[str, int, Figures]]:
    """(what is compared, step from 1, its figures)."""
    named = {
        **{_SYMBOLS[name]: s for name, s in figures["knowledge"].items()},
        _VIEWS: figures["views"],
    }
    return [
        (symbols, number, step)
        for symbols, steps in named.items()
        for number, step in enumerate(steps, 1)
    ]


def _recall_cells(recall: Figures) -> list[str]:
    shares = [f"{100 * recall[key]:.1f}" for key in ("r@1", "r@5", "r@10")]
    return [*shares, f"{recall['median_rank']:,.0f}"]


def _direction_cells(figures: Figures) -> list[str]:
    shares = [f"{100 * figures[key]:.1f}" for key in ("own", "neighbours")]
    return [*shares, f"{figures['offset_degrees']:.0f}"]


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
