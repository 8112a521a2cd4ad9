"""Figures to plain sentences: what the paper's claims would show, what is.

Every sentence follows from the figures by the thresholds below; none is
written for a particular run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mgtl_tf.analysis.attention import FOCUS_PARTS

Figures = Mapping[str, Any]

COLLAPSED = 1e-4
"""A smaller share of the tokens' square differing between places is none."""

_BARELY = 10.0  # times chance
_CHANGE = 0.02  # of a normalised error: less is no change
_CONSTANT = 0.98  # of a constant guess's error: above, nothing is known
_FAINT = 0.02  # of the utmost focus: less is an even attention
_POINTS = 0.5  # per cent: less is no gain in recall
_SAID = {
    "satellite_from_ground": "L_S (from the panorama)",
    "ground_from_satellite": "L_G (from the aerial image)",
}
_DECIDES = {
    "fixed": "the same azimuths draw it, whatever asks and whatever the image"
    " shows",
    "asking": "the azimuth that asks decides it, and the image hardly matters:"
    " it is a fixed mixing of neighbours",
    "image": "what the image shows decides it",
}


def warning(figures: Figures) -> str:
    """What a reader must know before all else; empty for a sound model."""
    smallest = min(min(steps) for steps in figures["variation"].values())
    first = figures["recall"]["ground_to_satellite"][-1]["r@1"]
    if smallest < COLLAPSED:
        return (
            "This model has collapsed: at some step its tokens are the same"
            f" for all places (only {100 * smallest:.4f} % of their square"
            " differs). Likeness of equal things says nothing."
        )
    if first < _BARELY * figures["chance"]:
        return (
            f"This model finds {100 * first:.2f} % of the places at the first"
            f" answer, and blind guessing {100 * figures['chance']:.2f} %: it"
            " has learnt next to nothing, and what follows describes how it"
            " was initialised."
        )
    return ""


def approach(figures: Figures) -> str:
    """Whether knowledge nears what it should equal, from step to step."""
    if not figures["knowledge"]:
        first, last = _ends(figures["views"], "centred_cosine")
        return (
            "This model generates no knowledge: each view attends to its own"
            " tokens. The tokens of a place's two views have a cosine of"
            f" {first:.3f} at step 1 and {last:.3f} at step"
            f" {figures['steps']}, without what all places share."
        )
    said = [
        _approach(_SAID[name], steps)
        for name, steps in figures["knowledge"].items()
    ]
    first, last = _ends(figures["views"], "normalized_mse")
    if None not in (first, last):
        said.append(
            "Of the panorama's plain tokens, taken for the aerial image's"
            f" with nothing generated, it is {first:.2f} at step 1 and"
            f" {last:.2f} at step {figures['steps']}."
        )
    return " ".join(said)


def _approach(name: str, steps: Sequence[Figures]) -> str:
    errors = [step["normalized_mse"] for step in steps]
    if None in errors:
        return f"{name} cannot be judged: all places have the same tokens."
    other = steps[-1]["other_normalized_mse"]
    said = f"The error of {name} is {errors[0]:.2f} of a constant guess's"
    if len(errors) > 1:
        said += f" at step 1 and {errors[-1]:.2f} at step {len(errors)}"
        said += _trend(errors)
    said += f" (against another place's tokens {other:.2f})."
    if errors[-1] > _CONSTANT:
        said += (
            " So at the end it is no nearer than guessing the same for every"
            " place."
        )
    return said


def _trend(errors: Sequence[float]) -> str:
    change = errors[-1] - errors[0]
    if change < -_CHANGE:
        return ": it approaches"
    return ": it moves away" if change > _CHANGE else ": no change"


def knows_place(figures: Figures) -> str:
    """Whether knowledge finds its own place, beside the tokens themselves."""
    views = [100 * step["recall"]["r@1"] for step in figures["views"]]
    said = (
        "The panorama's own tokens, with nothing generated, find the aerial"
        f" image's {_from_to(views)}; chance is"
        f" {100 * figures['chance']:.2f} %."
    )
    for name, steps in figures["knowledge"].items():
        found = [100 * step["recall"]["r@1"] for step in steps]
        gains = [a - b for a, b in zip(found, views, strict=True)]
        better = sum(gain > _POINTS for gain in gains)
        said += (
            f" {_SAID[name]} finds its own place {_from_to(found)}; that is"
            f" more often than the plain tokens do at {better} of"
            f" {len(gains)} steps."
        )
    return said


def attends(figures: Figures) -> str:
    """What decides the attention of each view, and where it lies."""
    said = [
        _attends(view, figures["attention"][view], figures)
        for view in ("ground", "satellite")
    ]
    own, other = (
        ", ".join(f"{step[key]:.2f}" for step in figures["shared_light"])
        for key in ("own", "other")
    )
    said.append(
        "Both views of a place attend to the same azimuths with a cosine of"
        f" {own} at step 1, 2, ... (a panorama and another place's aerial"
        f" image: {other})."
    )
    return " ".join(said)


def _attends(view: str, steps: Sequence[Figures], figures: Figures) -> str:
    mean = {
        name: sum(step[name] for step in steps) / len(steps)
        for name in ("azimuths", "focus", "own", "neighbours", *FOCUS_PARTS)
    }
    even = figures["even_attention"]
    who = "Panorama" if view == "ground" else "Aerial image"
    said = (
        f"{who}: over all steps and heads, attention is as good as spread over"
        f" {mean['azimuths']:.1f} of {figures['azimuths']} azimuths;"
        f" {100 * mean['own']:.1f} % rests on the token's own azimuth (even:"
        f" {100 * even['own']:.1f} %), {100 * mean['neighbours']:.1f} % on"
        f" both neighbours (even: {100 * even['neighbours']:.1f} %)."
    )
    if mean["focus"] < _FAINT:
        return f"{said} That is an average over the whole circle."
    parts = {name: mean[name] / mean["focus"] for name in FOCUS_PARTS}
    largest = max(parts, key=lambda name: parts[name])
    shares = ", ".join(
        f"{100 * parts[name]:.0f} % {name}" for name in FOCUS_PARTS
    )
    return f"{said} Mostly, {_DECIDES[largest]} (of the focus {shares})."


def stopping(figures: Figures) -> str:
    """What each further step adds to recall."""
    found = [
        100 * step["r@1"] for step in figures["recall"]["ground_to_satellite"]
    ]
    listed = ", ".join(f"{value:.1f}" for value in found)
    best = max(found)
    enough = next(
        number
        for number, value in enumerate(found, 1)
        if value >= best - _POINTS
    )
    said = (
        f"Stopping after step 1, 2, ... gives r@1 of {listed} %."
        if len(found) > 1
        else f"Its one step gives r@1 of {listed} %."
    )
    if enough < len(found):
        said += f" After step {enough} nothing is gained."
    elif len(found) > 1:
        said += " The last step is needed."
    return said


def _ends(steps: Sequence[Figures], name: str) -> tuple[float, float]:
    return steps[0][name], steps[-1][name]


def _from_to(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"in {values[0]:.1f} % of cases"
    return (
        f"in {values[0]:.1f} % of cases at step 1 and {values[-1]:.1f} % at"
        f" step {len(values)}"
    )
