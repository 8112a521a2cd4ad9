"""The page about what a model looks at, its pictures and look.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.analysis import curves, reading
from mgtl_tf.analysis.maps import Example, draw_example, draw_maps
from mgtl_tf.analysis.tables import (
    Table,
    approach_table,
    attention_table,
    rank_table,
    recall_table,
)
from mgtl_tf.retrieval.report.rendering import render
from mgtl_tf.utils.atomic_folders import atomic_folder

PAGE = "look.html"
"""The page's file name; its pictures stand beside it."""

FIGURES = "look.json"
"""Beside the page: facts, figures and readings."""

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class LookData:
    """All that the page tells.

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
class Picture:
    """A picture of the page: file, title, caption."""

    file: str
    title: str
    text: str


@dataclass(frozen=True)
class Section:
    """A question, what one should see, what is seen, and the evidence."""

    title: str
    explanation: str
    expected: str
    seen: str
    pictures: Sequence[Picture]
    table: Table | None = None
    wide: bool = False


def write_look(output_dir: Path | str, data: LookData) -> Path:
    """Writes look.html, its pictures and look.json.

    Args:
        output_dir: a new or empty folder, or an older one of this kind.
        data: what it tells.

    Returns:
        The page's path.

    Raises:
        UserError: where the folder holds something else.
    """
    with atomic_folder(output_dir, PAGE) as folder:
        sections = [
            _approach(folder, data),
            _place(folder, data),
            _attention(folder, data),
            _examples(folder, data),
            _stopping(folder, data),
        ]
        warning = reading.warning(data.figures)
        found = {
            "facts": dict(data.facts),
            "warning": warning,
            "readings": {s.title: s.seen for s in sections if s.seen},
            "figures": data.figures,
        }
        (folder / FIGURES).write_text(json.dumps(found, indent=1) + "\n")
        page = render(
            _TEMPLATES,
            PAGE,
            headline=_headline(data.figures),
            warning=warning,
            sections=[s for s in sections if s.pictures],
            facts=data.facts,
            figures_file=FIGURES,
        )
        (folder / PAGE).write_text(page, encoding="utf-8")
    return Path(output_dir) / PAGE


def _headline(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    last = figures["recall"]["ground_to_satellite"][-1]
    views = figures["attention"].values()
    spread = np.mean([step["azimuths"] for v in views for step in v])
    tiles = [
        (f"{100 * last['r@1']:.1f} %", "r@1 after the last step"),
        (f"{figures['places']:,}", "places looked at"),
        (f"{figures['steps']}", f"steps of {figures['heads']} heads"),
        (
            f"{spread:.1f} of {figures['azimuths']}",
            "azimuths that attention is as good as spread over",
        ),
    ]
    knowledge = figures["knowledge"].get("satellite_from_ground")
    if knowledge and knowledge[-1]["normalized_mse"] is not None:
        value = f"{knowledge[-1]['normalized_mse']:.2f}"
        text = "error of L_S at the last step; a constant guess has 1"
        tiles.insert(1, (value, text))
    return tiles


def _approach(folder: Path, data: LookData) -> Section:
    pictures = [
        _curve(folder, data, curves.draw_likeness, "likeness.svg", *_LIKENESS)
    ]
    if data.figures["knowledge"]:
        pictures.insert(
            0, _curve(folder, data, curves.draw_errors, "error.svg", *_ERROR)
        )
    return Section(
        "Does generated knowledge approach the true one?",
        "At each step, CMI generates from one view what the other view's"
        " tokens should be: L_S from the panorama should equal the aerial"
        " image's normalised tokens F_S, L_G from the aerial image the"
        " panorama's F_G (Eq. 3, 8). Likeness alone proves nothing, because"
        " tokens of all places have much in common; so each figure stands"
        " beside the same one of another, random place, and beside a constant"
        " guess: the mean tokens of all places.",
        "errors well below 1 that fall from step to step, far below the error"
        " against another place's tokens; cosines that rise above those of"
        " the two views' own tokens. (The paper expects the quality of the"
        " knowledge to become harder to keep at late steps.)",
        reading.approach(data.figures),
        pictures,
        approach_table(data.figures),
    )


def _place(folder: Path, data: LookData) -> Section:
    return Section(
        "Is it knowledge of this very place?",
        "The hardest control: among the true tokens of all"
        f" {data.figures['places']:,} places, do those of the knowledge's own"
        " place lie nearest (by cosine)? Ties count against the model. The"
        " third line does the same with the tokens themselves, which cost no"
        " generating.",
        "generated knowledge finds its own place more often than the other"
        " view's plain tokens do, and more often from step to step.",
        reading.knows_place(data.figures),
        [_curve(folder, data, curves.draw_ranks, "rank.svg", *_RANK)],
        rank_table(data.figures),
    )


def _attention(folder: Path, data: LookData) -> Section:
    pictures = []
    for view, name in (("ground", "Panorama"), ("satellite", "Aerial image")):
        file = f"maps-{view}.svg"
        draw_maps(data.maps[view], folder / file)
        pictures.append(Picture(file, f"{name}: mean maps.", _MAPS))
    for view, name in (("ground", "Panorama"), ("satellite", "Aerial image")):
        steps = data.figures["attention"][view]
        for draw, stem, text in (
            (curves.draw_focus, "focus", _FOCUS),
            (curves.draw_offsets, "offsets", _OFFSETS),
        ):
            file = f"{stem}-{view}.svg"
            draw(steps, folder / file)
            pictures.append(Picture(file, f"{name}: {stem}.", text))
    pictures.append(
        _curve(folder, data, curves.draw_shared_light, "shared.svg", *_SHARED)
    )
    return Section(
        "What does attention rest on?",
        "In each step, every azimuth of a view asks, and gets a mean of the"
        " knowledge at all azimuths, weighted by attention (Eq. 4). Focus is"
        " 0 % where the weights are even and 100 % where each token looks at"
        " one azimuth alone. It has three parts, which add up: some azimuths"
        " draw every token of every place; the asking azimuth decides; the"
        " image decides. Only the last is looking at something.",
        "attention that depends on the image, a large third part; heads that"
        " differ; and both views of a place attending to the same azimuths.",
        reading.attends(data.figures),
        pictures,
        attention_table(data.figures),
    )


def _examples(folder: Path, data: LookData) -> Section:
    pictures = []
    for number, example in enumerate(data.examples, 1):
        file = f"example-{number}.jpg"
        draw_example(example, folder / file)
        text = (
            f"Its aerial image came at rank {example.rank:,} of"
            f" {data.figures['places']:,}."
        )
        pictures.append(Picture(file, f"Place {example.id}.", text))
    return Section(
        "Single places, from the best found to the worst",
        "Both views as the network sees them, each brighter where the last"
        " step's attention rests (the mean over heads and asking azimuths),"
        " over strips of every step. North is the middle, south both edges. A"
        " token sees more of the image than its own azimuth, so light marks a"
        " direction, not an object's outline.",
        "light that falls on what tells places apart in both views: streets,"
        " corners, single buildings; and on the same azimuths in both.",
        "",
        pictures,
        wide=True,
    )


def _stopping(folder: Path, data: LookData) -> Section:
    return Section(
        "Is every step needed?",
        "The descriptor when the recurrence stops after each step, through"
        " the same final norm. It was trained for the last step alone, so an"
        " early stop is at a disadvantage, and a network trained with fewer"
        " steps (Table 4) may do better than this one stopped early.",
        "recall that rises with every step.",
        reading.stopping(data.figures),
        [_curve(folder, data, curves.draw_recalls, "recall.svg", *_RECALL)],
        recall_table(data.figures),
    )


def _curve(
    folder: Path,
    data: LookData,
    draw: Callable[[Mapping[str, Any], Path], None],
    file: str,
    title: str,
    text: str,
) -> Picture:
    draw(data.figures, folder / file)
    return Picture(file, title, text)


_ERROR = (
    "Error of the knowledge.",
    "Mean squared error as a multiple of the error of always guessing the"
    " mean place: 1 knows nothing of the place, 0 all. Dotted: against the"
    " tokens of another place.",
)
_LIKENESS = (
    "Likeness of tokens.",
    "Cosines of a place's tokens after what all places share is taken away."
    " Dotted: another place's, which should lie at 0.",
)
_RANK = (
    "Own place found first.",
    "How often the tokens of the own place are the nearest of all.",
)
_MAPS = (
    "Down: the azimuth that asks; across: where it looks; the mean over all"
    " places. A bright diagonal looks at itself, bright columns are azimuths"
    " that draw everybody, one colour is an even mean."
)
_FOCUS = (
    "The mean over heads, and a dash for each head. Green is the part that"
    " differs between images."
)
_OFFSETS = (
    "How far from the asking azimuth attention falls; level at 1 means"
    " everywhere alike."
)
_SHARED = (
    "Both views together.",
    "How alike the two views' attention over azimuths is, after what all"
    " places share is taken away. Well above the"
    " dotted line: both look in the same directions.",
)
_RECALL = (
    "Recall when stopping early.",
    "Both directions, among the same places.",
)
