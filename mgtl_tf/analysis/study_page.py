"""The pages of several runs side by side: one line a run, and its link."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgtl_tf.analysis.attention import FOCUS_PARTS
from mgtl_tf.retrieval.report.rendering import render
from mgtl_tf.utils.atomic_io import atomic_write

STUDY_PAGE = "look.html"
"""The page's name in a study's folder of tables."""

_TEMPLATES = Path(__file__).parent / "templates"
_HEADS = (
    "run",
    "r@1, %, stopping after step 1, 2, ...",
    "error of L_S, of a constant guess's",
    "L_S finds its own place first, %",
    "F_G finds F_S first, %",
    "attention spread over azimuths",
    "focus, %: fixed + asking + image",
)


@dataclass(frozen=True)
class Looked:
    """A run that was looked at.

    Attributes:
        name: of the run.
        page: its look.html.
        found: what its look.json holds.
    """

    name: str
    page: Path
    found: Mapping[str, Any]


def write_study_page(folder: Path, runs: Sequence[Looked]) -> Path:
    """Writes the page that links the runs' pages.

    Args:
        folder: where it stands; the links are relative to it.
        runs: one or more.

    Returns:
        The page's path.
    """
    lines = [
        {
            "link": Path(os.path.relpath(run.page, folder)).as_posix(),
            "cells": _cells(run),
            "warning": run.found["warning"],
            "readings": run.found["readings"],
        }
        for run in runs
    ]
    page = render(_TEMPLATES, "study.html", heads=_HEADS, runs=lines)
    atomic_write(folder / STUDY_PAGE, page)
    return folder / STUDY_PAGE


def _cells(run: Looked) -> list[str]:
    """Every column but the links; values by step, separated by spaces."""
    figures = run.found["figures"]
    recalls = figures["recall"]["ground_to_satellite"]
    generated = figures["knowledge"].get("satellite_from_ground", [])
    views = [v for own in figures["attention"].values() for v in own]
    spread = sum(step["azimuths"] for step in views) / len(views)
    parts = [
        f"{100 * sum(step[p] for step in views) / len(views):.1f}"
        for p in FOCUS_PARTS
    ]
    errors = [step["normalized_mse"] for step in generated]
    return [
        run.name,
        _percents(step["r@1"] for step in recalls),
        " ".join("–" if e is None else f"{e:.2f}" for e in errors) or "–",
        _percents(step["recall"]["r@1"] for step in generated) or "–",
        _percents(step["recall"]["r@1"] for step in figures["views"]),
        f"{spread:.1f} of {figures['azimuths']}",
        " + ".join(parts),
    ]


def _percents(shares: Any) -> str:
    return " ".join(f"{100 * share:.1f}" for share in shares)
