"""The page's figures as tables, one line a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Figures = Mapping[str, Any]
Lines = list[dict[str, str]]
"""Column name to cell."""

_COMPARED = {
    "satellite_from_ground": "L_S, F_S",
    "ground_from_satellite": "L_G, F_G",
}
_SIMILARITY = {
    "cosine": "cosine: own place",
    "other_cosine": "cosine: another",
    "centred_cosine": "centred: own",
    "other_centred_cosine": "centred: another",
    "mse": "MSE",
    "normalized_mse": "MSE / constant: own",
    "other_normalized_mse": "MSE / constant: another",
}
_ATTENTION = {
    "focus": "focus, %",
    "fixed": "fixed",
    "query": "query",
    "image": "image",
    "own": "own azimuth, %",
    "neighbours": "neighbours, %",
}


def similarity_table(figures: Figures) -> Lines:
    """Cosines and errors of every compared pair of tokens."""
    return [
        {"compared": name, "step": f"{number}"}
        | {head: _number(step[key]) for key, head in _SIMILARITY.items()}
        for name, number, step in _compared(figures)
    ]


def rank_table(figures: Figures) -> Lines:
    """How often tokens find their own place's, in per cent, and ranks."""
    return [
        {"finds": name, "step": f"{number}"} | _recalls(step["recall"])
        for name, number, step in _compared(figures)
    ]


def attention_table(figures: Figures) -> Lines:
    """Focus and direction of both views, the mean over heads."""
    uniform = {"azimuths": figures["azimuths"]} | figures["even_attention"]
    lines = [{"view": "uniform", "step": ""} | _attention(uniform)]
    return lines + [
        {"view": view, "step": f"{number}"} | _attention(step)
        for view, steps in figures["attention"].items()
        for number, step in enumerate(steps, 1)
    ]


def recall_table(figures: Figures) -> Lines:
    """Recall when stopping after each step, in per cent, both ways."""
    return [
        {"direction": way.replace("_", " "), "after step": f"{number}"}
        | _recalls(step)
        for way, steps in figures["recall"].items()
        for number, step in enumerate(steps, 1)
    ]


def run_line(name: str, figures: Figures) -> dict[str, str]:
    """A run's main figures; values by step, separated by blanks."""
    generated = figures["knowledge"].get("satellite_from_ground", [])
    views = [step for own in figures["attention"].values() for step in own]
    azimuths = sum(step["azimuths"] for step in views) / len(views)
    first = figures["recall"]["ground_to_satellite"]
    return {
        "run": name,
        "r@1, %, stopping after step 1, 2, ...": _percents(first),
        "MSE of L_S / constant": " ".join(
            _number(step["normalized_mse"]) for step in generated
        ),
        "L_S finds F_S, r@1, %": _percents(s["recall"] for s in generated),
        "F_G finds F_S, r@1, %": _percents(
            step["recall"] for step in figures["views"]
        ),
        "azimuths attended to": f"{azimuths:.1f} of {figures['azimuths']}",
    }


def _compared(figures: Figures) -> Iterator[tuple[str, int, Figures]]:
    """(what is compared, step from 1, its figures)."""
    named = {_COMPARED[k]: steps for k, steps in figures["knowledge"].items()}
    for name, steps in {**named, "F_G, F_S": figures["views"]}.items():
        for number, step in enumerate(steps, 1):
            yield name, number, step


def _recalls(recall: Figures) -> dict[str, str]:
    shares = {k: f"{100 * recall[k]:.1f}" for k in ("r@1", "r@5", "r@10")}
    return {**shares, "median rank": f"{recall['median_rank']:,.0f}"}


def _attention(step: Figures) -> dict[str, str]:
    shares = {
        head: f"{100 * step.get(key, 0.0):.1f}"
        for key, head in _ATTENTION.items()
    }
    return {
        "azimuths attended to": f"{step['azimuths']:.1f}",
        **shares,
        "mean offset, degrees": f"{step['offset_degrees']:.0f}",
    }


def _percents(recalls: Any) -> str:
    return " ".join(f"{100 * recall['r@1']:.1f}" for recall in recalls)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
