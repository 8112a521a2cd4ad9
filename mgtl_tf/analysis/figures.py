"""Figures of a traced model: everything that look.json holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mgtl_tf import metrics
from mgtl_tf.analysis.attention import (
    direction,
    even_direction,
    focus,
    mean_of,
    offsets,
)
from mgtl_tf.analysis.likeness import (
    finds_own,
    likeness,
    other_places,
    variation,
)
from mgtl_tf.analysis.traces import ViewTraces

GENERATED = {
    "satellite_from_ground": ("ground", "satellite"),
    "ground_from_satellite": ("satellite", "ground"),
}
"""Knowledge to (the view that it is generated from, the one it should equal):
L_S and L_G of Eq. 3."""

COLLAPSED = 1e-4
"""Tokens of which a smaller share differs between places are the same."""

_TIMES_CHANCE = 10.0

Traces = Mapping[str, ViewTraces]


def look_figures(
    traces: Traces, generates: bool, seed: int = 0
) -> dict[str, Any]:
    """All figures of a traced model, ready for JSON.

    Args:
        traces: of `trace_places`.
        generates: whether the model generates knowledge (CMI); without, it
            attends to its own tokens.
        seed: decides which other place each place is compared with.

    Returns:
        "places" N, "steps" L, "heads", "azimuths" T, "chance" (r@1 of blind
        guessing); lists of one entry a step: "recall" (stopping there, by
        direction), "views" (the ground tokens against the satellite's),
        "view_agreement" (of `_view_agreement`),
        "knowledge" (by `GENERATED`; empty without CMI), "variation" and
        "attention" (by view; the latter with a list of heads). NaN is None.

    Raises:
        ValueError: for fewer than two places.
    """
    ground = traces["ground"]
    count = ground.attention.count
    others = other_places(count, seed)
    _, heads, azimuths, _ = ground.attention.maps.shape
    found = {
        "places": count,
        "steps": ground.steps,
        "heads": heads,
        "azimuths": azimuths,
        "chance": 1 / count,
        "even_attention": even_direction(azimuths),
        "recall": _recalls(traces),
        "view_agreement": _view_agreement(traces, others),
        "views": [
            _comparison(
                ground.get("tokens", step),
                traces["satellite"].get("tokens", step),
                others,
            )
            for step in range(ground.steps)
        ],
        "knowledge": _knowledge(traces, others) if generates else {},
        "variation": {
            view: [variation(own.get("tokens", s)) for s in range(own.steps)]
            for view, own in traces.items()
        },
        "attention": {
            view: _attention(own.attention.maps, own.attention.entropies)
            for view, own in traces.items()
        },
    }
    return _without_nan(found)


def _recalls(traces: Traces) -> dict[str, list[dict[str, Any]]]:
    """Recall of the descriptors of every step, both ways (R20)."""
    ground, satellite = traces["ground"], traces["satellite"]
    ways = {
        "ground_to_satellite": (ground, satellite),
        "satellite_to_ground": (satellite, ground),
    }
    return {
        way: [
            metrics.recall(a.get("descriptor", s), b.get("descriptor", s))
            for s in range(a.steps)
        ]
        for way, (a, b) in ways.items()
    }


def _view_agreement(
    traces: Traces, others: np.ndarray
) -> list[dict[str, float]]:
    """Whether both views of a place attend to the same azimuths.

    "own" is the mean over places of the centred cosine of both views'
    attention over azimuths; "other" the same with another place's aerial
    image, which should be 0.
    """
    ground, satellite = traces["ground"], traces["satellite"]
    found = []
    for step in range(ground.steps):
        compared = likeness(
            ground.get("azimuth_attention", step),
            satellite.get("azimuth_attention", step),
            others,
        )
        found.append(
            {
                "own": compared["centred_cosine"],
                "other": compared["other_centred_cosine"],
            }
        )
    return found


def _knowledge(
    traces: Traces, others: np.ndarray
) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [
            _comparison(
                traces[source].get("knowledge", step),
                traces[target].get("tokens", step),
                others,
            )
            for step in range(traces[source].steps)
        ]
        for name, (source, target) in GENERATED.items()
    }


def _comparison(
    found: np.ndarray, truth: np.ndarray, others: np.ndarray
) -> dict[str, Any]:
    return {
        **likeness(found, truth, others),
        "recall": finds_own(found, truth),
    }


def _attention(maps: np.ndarray, entropies: np.ndarray) -> list[dict[str, Any]]:
    """One entry a step: the mean over heads, the profile, and each head."""
    steps = []
    for step_maps, step_entropies in zip(maps, entropies, strict=True):
        profiles = offsets(step_maps)  # [heads, T]
        heads = [
            {**focus(own, nats), **direction(profile)}
            for own, nats, profile in zip(
                step_maps, step_entropies, profiles, strict=True
            )
        ]
        steps.append(
            {
                **mean_of(heads),
                "profile": [float(p) for p in profiles.mean(axis=0)],
                "heads": heads,
            }
        )
    return steps


def warning_of(figures: Mapping[str, Any]) -> str:
    """Why the figures say little; empty for a sound model."""
    smallest = min(min(steps) for steps in figures["variation"].values())
    first = figures["recall"]["ground_to_satellite"][-1]["r@1"]
    if smallest < COLLAPSED:
        return (
            "The model has collapsed: at some step its tokens are the same for"
            f" all places (only {100 * smallest:.4f} % of their mean square"
            " differs)."
        )
    if first < _TIMES_CHANCE * figures["chance"]:
        return (
            f"The model is barely trained: r@1 is {100 * first:.2f} %, chance"
            f" {100 * figures['chance']:.2f} %."
        )
    return ""


def _without_nan(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _without_nan(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and np.isnan(value) else value
