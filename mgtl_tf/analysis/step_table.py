"""The main figures of a traced model as a table of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LS, _FG = {"compared": "L_S, F_S"}, {"compared": "F_G, F_S"}
_GROUND, _SATELLITE = {"view": "ground"}, {"view": "satellite"}
_SHARE, _NUMBER = "{:.1%}", "{:.2f}"

# Title; list of `look_figures`, which of its entries, key; format.
_MEASURES: tuple[tuple[str, str, dict[str, str], str, str], ...] = (
    (
        "r@1 (ground to satellite), stopping here",
        "recall",
        {"direction": "ground to satellite"},
        "r@1",
        _SHARE,
    ),
    ("L_S finds its F_S first", "similarity", _LS, "r@1", _SHARE),
    ("F_G does, nothing generated", "similarity", _FG, "r@1", _SHARE),
    (
        "error of L_S (that of a constant: 1)",
        "similarity",
        _LS,
        "normalized_mse",
        _NUMBER,
    ),
    (
        "  for another place's F_S",
        "similarity",
        _LS,
        "other_normalized_mse",
        _NUMBER,
    ),
    (
        "  of F_G taken for F_S, nothing generated",
        "similarity",
        _FG,
        "normalized_mse",
        _NUMBER,
    ),
    (
        "azimuths attended to: panorama",
        "attention",
        _GROUND,
        "azimuths",
        "{:.1f}",
    ),
    ("  aerial image", "attention", _SATELLITE, "azimuths", "{:.1f}"),
    ("focus (0: uniform): panorama", "attention", _GROUND, "focus", _SHARE),
    ("  what the image decides of it", "attention", _GROUND, "image", _SHARE),
    ("focus: aerial image", "attention", _SATELLITE, "focus", _SHARE),
    (
        "  what the image decides of it",
        "attention",
        _SATELLITE,
        "image",
        _SHARE,
    ),
    ("attention to the own azimuth", "attention", _GROUND, "own", _SHARE),
    ("both views attend alike (cosine)", "agreement", {}, "own", _NUMBER),
)


def step_table(figures: Mapping[str, Any]) -> list[str]:
    """A measure a line, a step a column.

    Args:
        figures: of `look_figures`; measures that it lacks are left out.
    """
    steps = [str(entry["step"]) for entry in figures["agreement"]]
    heading = f"{figures['places']:,} places; step"
    rows = [(heading, steps), *_rows(figures)]
    return [
        f"{title:<42}" + "".join(f"{cell:>8}" for cell in cells)
        for title, cells in rows
    ]


def _rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for title, part, wanted, key, form in _MEASURES:
        found = [e for e in figures[part] if wanted.items() <= e.items()]
        if found:
            values = [entry[key] for entry in found]
            yield title, ["–" if v is None else form.format(v) for v in values]
