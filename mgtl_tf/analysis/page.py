"""The page about a model's attention, its pictures and look.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.analysis.attention import FOCUS_PARTS
from mgtl_tf.analysis.curves import draw_focus, draw_offsets, draw_steps
from mgtl_tf.analysis.figures import warning_of
from mgtl_tf.analysis.pictures import Example, draw_example, draw_maps
from mgtl_tf.retrieval.report.rendering import render
from mgtl_tf.utils.atomic_folders import atomic_folder

PAGE = "look.html"
"""The page's file name; its pictures stand beside it."""
FIGURES = "look.json"
"""Facts and figures, beside it."""

_TEMPLATE = Path(__file__).parent / "templates" / PAGE
_OWN_AND_OTHER = ("own place", "another place")


def write_look(
    output_dir: Path | str,
    facts: Mapping[str, Any],
    figures: Mapping[str, Any],
    maps: Mapping[str, np.ndarray],
    examples: Sequence[Example],
) -> Path:
    """Writes look.html, its pictures and look.json (facts and figures).

    Args:
        output_dir: a new or empty folder, or an older one of this kind.
        facts: names to values: run, data, checkpoint, command, machine, ...
        figures: of `look_figures`.
        maps: by view, the mean attention float [L, heads, T, T'].
        examples: a few places.

    Returns:
        The page's path.

    Raises:
        UserError: where the folder holds something else.
    """
    with atomic_folder(output_dir, PAGE) as folder:
        _draw_curves(folder, figures)
        for view, of_view in maps.items():
            steps = [s for s in figures["attention"] if s["view"] == view]
            draw_maps(folder / f"maps-{view}.svg", of_view)
            draw_focus(folder / f"focus-{view}.svg", steps)
            draw_offsets(folder / f"offsets-{view}.svg", steps)
        for number, example in enumerate(examples, 1):
            draw_example(folder / f"example-{number}.jpg", example)
        content = {"facts": dict(facts), "figures": figures}
        text = json.dumps(content, indent=1)
        (folder / FIGURES).write_text(text + "\n")
        page = render(
            _TEMPLATE,
            warning=warning_of(figures),
            tables=_tables(figures),
            examples=examples,
            places=figures["places"],
            facts=facts,
        )
        (folder / PAGE).write_text(page, encoding="utf-8")
    return Path(output_dir) / PAGE


def _draw_curves(folder: Path, figures: Mapping[str, Any]) -> None:
    def pair(measure: str) -> dict[str, str]:
        keys = (measure, f"other_{measure}")
        return dict(zip(keys, _OWN_AND_OTHER, strict=True))

    similar = figures["similarity"]
    draw_steps(
        folder / "error.svg",
        similar,
        "compared",
        pair("normalized_mse"),
        "error / error of a constant",
        baseline=(1, "constant prediction"),
    )
    draw_steps(
        folder / "similarity.svg",
        similar,
        "compared",
        pair("centred_cosine"),
        "cosine (centred)",
    )
    draw_steps(
        folder / "rank.svg",
        similar,
        "compared",
        {"r@1": ""},
        "own place found first, %",
        100,
        (100 * figures["chance"], "chance"),
    )
    draw_steps(
        folder / "agreement.svg",
        figures["agreement"],
        "",
        dict(zip(("own", "other"), _OWN_AND_OTHER, strict=True)),
        "cosine (centred)",
    )
    draw_steps(
        folder / "recall.svg",
        figures["recall"],
        "direction",
        {"r@1": "r@1", "r@5": "r@5"},
        "recall, %",
        100,
    )


def _tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """Lists of the figures as HTML tables."""
    # Not at import: pandas takes a second.
    import pandas

    shares = ["r@1", "r@5", "r@10", "focus", *FOCUS_PARTS, "own", "neighbours"]
    formats = dict.fromkeys(shares, "{:.1%}".format)
    formats |= {"azimuths": "{:.1f}".format, "median rank": "{:,.0f}".format}
    formats["offset degrees"] = "{:.0f}".format
    hidden = ["head_focus", "profile", "r@1%", "ties", "mean_rank"]
    return {
        name: pandas.DataFrame(figures[name])
        .drop(columns=hidden, errors="ignore")
        .rename(columns=lambda name: name.replace("_", " "))
        .to_html(
            index=False,
            border=0,
            na_rep="–",
            formatters=formats,
            float_format="{:.3f}".format,
        )
        for name in ("similarity", "attention", "recall")
    }
