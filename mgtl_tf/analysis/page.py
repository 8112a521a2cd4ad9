"""The page about a model's attention, its pictures and look.json."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.analysis import curves, tables
from mgtl_tf.analysis.figures import warning_of
from mgtl_tf.analysis.maps import Example, draw_example, draw_maps
from mgtl_tf.retrieval.report.rendering import render
from mgtl_tf.utils.atomic_folders import atomic_folder
from mgtl_tf.utils.atomic_io import atomic_write

PAGE = "look.html"
"""The page's file name; its pictures stand beside it."""

FIGURES = "look.json"
"""Beside the page: facts and figures."""

_TEMPLATES = Path(__file__).parent / "templates"
_VIEWS = {"ground": "Panorama", "satellite": "Aerial image"}


@dataclass(frozen=True)
class LookData:
    """What the page shows.

    Args:
        facts: names to values: run, data, checkpoint, command, machine, ...
        figures: of `look_figures`.
        maps: by view, the mean attention float [L, heads, T, T'].
        examples: a few places.
    """

    facts: Mapping[str, Any]
    figures: Mapping[str, Any]
    maps: Mapping[str, np.ndarray]
    examples: Sequence[Example]


@dataclass(frozen=True)
class Section:
    """A heading, what the figures mean, pictures (file, caption), a table."""

    title: str
    explanation: str
    pictures: Sequence[tuple[str, str]]
    table: tables.Lines
    wide: bool = False


def write_look(output_dir: Path | str, data: LookData) -> Path:
    """Writes look.html, its pictures and look.json.

    Args:
        output_dir: a new or empty folder, or an older one of this kind.
        data: what the page shows.

    Returns:
        The page's path.

    Raises:
        UserError: where the folder holds something else.
    """
    with atomic_folder(output_dir, PAGE) as folder:
        figures = data.figures
        sections = [
            _similarity(folder, figures),
            _attention(folder, data),
            _examples(folder, data),
            _stopping(folder, figures),
        ]
        found = {"facts": dict(data.facts), "figures": figures}
        (folder / FIGURES).write_text(json.dumps(found, indent=1) + "\n")
        page = render(
            _TEMPLATES,
            PAGE,
            title="Attention and knowledge of a trained MGTL",
            warning=warning_of(figures),
            sections=[section for section in sections if section.pictures],
            facts=data.facts,
            links=[FIGURES],
        )
        (folder / PAGE).write_text(page, encoding="utf-8")
    return Path(output_dir) / PAGE


def write_study_page(
    folder: Path, runs: Mapping[Path, Mapping[str, Any]]
) -> Path:
    """Writes the page that links the pages of several runs.

    Args:
        folder: where it stands; the links are relative to it.
        runs: each run's page to its figures.

    Returns:
        The page's path.
    """
    lines = [
        tables.run_line(page.parents[2].name, figures)
        for page, figures in runs.items()
    ]
    section = Section("Runs", _RUNS, [], lines, wide=True)
    page = render(
        _TEMPLATES,
        PAGE,
        title="Attention and knowledge of a study's runs",
        warning="",
        sections=[section],
        facts={},
        links=[Path(os.path.relpath(page, folder)).as_posix() for page in runs],
    )
    atomic_write(folder / PAGE, page)
    return folder / PAGE


def _similarity(folder: Path, figures: Mapping[str, Any]) -> Section:
    drawn = [
        (curves.draw_similarities, "similarity.svg", _SIMILARITY),
        (curves.draw_ranks, "rank.svg", _RANK),
    ]
    if figures["knowledge"]:
        drawn.insert(0, (curves.draw_errors, "error.svg", _ERROR))
    for draw, file, _ in drawn:
        draw(figures, folder / file)
    lines = [
        {**similarity, **rank}
        for similarity, rank in zip(
            tables.similarity_table(figures),
            tables.rank_table(figures),
            strict=True,
        )
    ]
    pictures = [(file, caption) for _, file, caption in drawn]
    return Section("Generated knowledge", _KNOWLEDGE, pictures, lines)


def _attention(folder: Path, data: LookData) -> Section:
    figures = data.figures
    pictures: list[tuple[str, str]] = []
    for view, name in _VIEWS.items():
        steps = figures["attention"][view]
        files = [f"{stem}-{view}.svg" for stem in ("maps", "focus", "offsets")]
        draw_maps(data.maps[view], folder / files[0])
        curves.draw_focus(steps, folder / files[1])
        curves.draw_offsets(steps, folder / files[2])
        captions = (f"{name}: {text}" for text in (_MAPS, _FOCUS, _OFFSETS))
        pictures += zip(files, captions, strict=True)
    curves.draw_agreement(figures, folder / "agreement.svg")
    pictures.append(("agreement.svg", _AGREEMENT))
    lines = tables.attention_table(figures)
    return Section("Attention", _ATTENTION, pictures, lines)


def _examples(folder: Path, data: LookData) -> Section:
    pictures = []
    for number, example in enumerate(data.examples, 1):
        file = f"example-{number}.jpg"
        draw_example(example, folder / file)
        text = (
            f"Place {example.id}: rank {example.rank:,} of"
            f" {data.figures['places']:,}."
        )
        pictures.append((file, text))
    return Section("Single places", _EXAMPLES, pictures, [], wide=True)


def _stopping(folder: Path, figures: Mapping[str, Any]) -> Section:
    curves.draw_recalls(figures, folder / "recall.svg")
    pictures = [("recall.svg", "Recall when stopping early.")]
    lines = tables.recall_table(figures)
    return Section("Recall by recurrent step", _STOPPING, pictures, lines)


_KNOWLEDGE = (
    "At each step, CMI generates from one view what the other view's tokens"
    " should be: L_S from the panorama should equal the aerial image's"
    " normalised tokens F_S, L_G from the aerial image the panorama's F_G (Eq."
    " 3, 8). Each figure comes with the same one of another, random place, and"
    " with that of the two views' own tokens, with nothing generated."
)
_ERROR = (
    "Mean squared error as a multiple of that of a constant prediction, the"
    " mean tokens of all places: 1 knows nothing of the place, 0 all."
)
_SIMILARITY = "Cosines after the mean over places is subtracted."
_RANK = (
    "How often the tokens of the own place are the nearest of all by cosine;"
    " ties count against the model."
)
_ATTENTION = (
    "At each step, every azimuth of a view attends to the knowledge at all"
    " azimuths (Eq. 4). Focus is 0 % where attention is uniform and 100 % where"
    " each query attends to one azimuth. Its three parts add up: fixed, the"
    " same for all queries and places; query, by the query's azimuth; image, by"
    " what the image shows."
)
_MAPS = "mean attention over all places; queries down, keys across."
_FOCUS = "focus, the mean over heads, and a dash for each head."
_OFFSETS = "attention by offset from the query's azimuth; 1 is uniform."
_AGREEMENT = (
    "Similarity of the two views' attention over azimuths, after the mean over"
    " places is subtracted."
)
_EXAMPLES = (
    "Both views as the network sees them, from the best ranked place to the"
    " worst, brighter where the last step's attention is high (the mean over"
    " heads and queries), over strips of every step. North is the middle."
)
_STOPPING = (
    "Recall of the descriptor when the recurrence stops after each step,"
    " through the same final norm. The model was trained for the last step"
    " alone; one trained with fewer steps (Table 4) is another model."
)
_RUNS = (
    "One line a run; values of several steps stand in their order. L_S is what"
    " a panorama generates for the aerial image, F_G and F_S are the two views'"
    " own tokens."
)
