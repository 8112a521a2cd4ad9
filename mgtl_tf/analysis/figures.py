"""Figures of a traced model: everything that look.json holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mgtl_tf import metrics
from mgtl_tf.analysis.attention import attention_figures
from mgtl_tf.analysis.similarity import (
    other_places,
    similarity,
    token_recall,
    variation,
)
from mgtl_tf.analysis.traces import Traces
from mgtl_tf.datasets.sources import VIEWS

_Pair = tuple[tuple[str, str], tuple[str, str]]

COMPARED: dict[str, _Pair] = {
    "L_S, F_S": (("ground", "knowledge"), ("satellite", "tokens")),
    "L_G, F_G": (("satellite", "knowledge"), ("ground", "tokens")),
    "F_G, F_S": (("ground", "tokens"), ("satellite", "tokens")),
}
"""Compared tokens: (view, name) of the found ones and of the true ones; L_S
and L_G are generated (Eq. 3), the last line compares what both views have
without generation."""

_VIEWS = "F_G, F_S"
_COLLAPSED = 1e-4
_TIMES_CHANCE = 10.0


def look_figures(
    traces: Traces, generates: bool, seed: int = 0
) -> dict[str, Any]:
    """All figures of a traced model, ready for JSON.

    Args:
        traces: of `trace_places`.
        generates: whether the model generates knowledge (CMI); without, it
            attends to its own tokens.
        seed: of the other place that each place is compared with.

    Returns:
        "places" N, "chance" (r@1 of blind guessing), and lists of one entry a
        step, each with its "step" from 1: "similarity" (of "compared" tokens:
        `similarity` and `token_recall`), "attention" (by "view":
        `attention_figures`), "agreement" (centred cosine of both views'
        attention over azimuths: "own", and "other" with another place's
        aerial image), "recall" (stopping there, by "direction"; R20), and
        "variation" (by "view").

    Raises:
        ValueError: for fewer than two places.
    """
    steps, count = traces["ground"]["attention"].shape[:2]
    others = other_places(count, seed)
    compared = COMPARED if generates else {_VIEWS: COMPARED[_VIEWS]}
    return {
        "places": count,
        "chance": 1 / count,
        "similarity": [
            {"compared": name, "step": step + 1}
            | _compare(traces, pair, step, others)
            for name, pair in compared.items()
            for step in range(steps)
        ],
        "attention": [
            {"view": view} | step
            for view, own in traces.items()
            for step in attention_figures(own["attention"])
        ],
        "agreement": [
            {"step": step + 1} | _agreement(traces, step, others)
            for step in range(steps)
        ],
        "recall": [
            {"direction": f"{queries} to {gallery}", "step": step + 1}
            | metrics.recall(
                traces[queries]["descriptor"][step],
                traces[gallery]["descriptor"][step],
            )
            for queries, gallery in (VIEWS, VIEWS[::-1])
            for step in range(steps)
        ],
        "variation": [
            {"view": view, "step": step, "share": variation(tokens)}
            for view, own in traces.items()
            for step, tokens in enumerate(own["tokens"], 1)
        ],
    }


def _compare(
    traces: Traces, pair: _Pair, step: int, others: np.ndarray
) -> dict[str, Any]:
    found, truth = (traces[view][name][step] for view, name in pair)
    return {**similarity(found, truth, others), **token_recall(found, truth)}


def _agreement(traces: Traces, step: int, others: np.ndarray) -> dict[str, Any]:
    """Whether both views of a place attend to the same azimuths."""
    ground, satellite = (
        # What each azimuth receives, [N, T'].
        traces[view]["attention"][step].mean(axis=(1, 2))
        for view in VIEWS
    )
    found = similarity(ground, satellite, others)
    return {
        "own": found["centred_cosine"],
        "other": found["other_centred_cosine"],
    }


def warning_of(figures: Mapping[str, Any]) -> str:
    """Why the figures say little; empty for a sound model."""
    smallest = min(entry["share"] for entry in figures["variation"])
    last = [r for r in figures["recall"] if r["direction"].startswith("ground")]
    first, chance = last[-1]["r@1"], figures["chance"]
    if smallest < _COLLAPSED:
        return (
            "The model has collapsed: at some step its tokens are the same for"
            f" all places (only {100 * smallest:.4f} % of their mean square"
            " differs)."
        )
    if first < _TIMES_CHANCE * chance:
        return (
            f"The model is barely trained: r@1 is {100 * first:.2f} %, chance"
            f" {100 * chance:.2f} %."
        )
    return ""
