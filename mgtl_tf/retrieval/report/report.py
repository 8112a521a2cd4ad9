"""The page about a run: figures, curves, examples, and how it was made."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.aerial_images import first_rows, one_each
from mgtl_tf.datasets.records import Pair
from mgtl_tf.metrics import RightPairs, ranks
from mgtl_tf.retrieval.answers import Located
from mgtl_tf.retrieval.report import charts
from mgtl_tf.retrieval.report.examples import choose_examples
from mgtl_tf.retrieval.report.pictures import draw_located, draw_polar_pairs
from mgtl_tf.retrieval.report.rendering import TEMPLATES, render
from mgtl_tf.utils.atomic_folders import atomic_folder

PAGE = "report.html"
"""The page's file name; its pictures stand beside it."""

GROUND_TO_SATELLITE = "panorama to aerial image"
SATELLITE_TO_GROUND = "aerial image to panorama"

RANKS = "ranks.npy"
"""int32 [2, N] beside the page: rank of every validation pair's own place,
from 1, ties against (R20); panorama to aerial image, then the other way, where
the pairs of one aerial image have its rank."""

_SHEET_PAIRS = 3


@dataclass(frozen=True)
class ReportData:
    """All that a report tells.

    Args:
        config: of the run.
        environment: names to versions, hardware, command, ...
        records: the lines of metrics.jsonl.
        result: the evaluation of the descriptors below, with
            "ground_to_satellite", "satellite_to_ground" and "gallery_size";
            None where there are no validation pairs.
        ground, satellite: descriptors of the pairs, float32 [N, D].
        pairs: the validation pairs, in the order of the rows.
        facts: further headline figures, name to text.
        images: int [N], the number of each pair's aerial image; by default
            no pairs share one.
    """

    config: RunConfig
    environment: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    result: Mapping[str, Any] | None = None
    ground: np.ndarray | None = None
    satellite: np.ndarray | None = None
    pairs: Sequence[Pair] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    images: np.ndarray | None = None


def write_report(report_dir: Path | str, data: ReportData) -> Path:
    """Writes report.html and its pictures; nothing is loaded from elsewhere.

    Args:
        report_dir: a new or empty folder, or an older report.
        data: what it tells; parts that are missing are left out.

    Returns:
        The page's path.

    Raises:
        UserError: for an image that can't be read; an older report stays.
    """
    with atomic_folder(report_dir, PAGE) as folder:
        page = render(
            TEMPLATES,
            PAGE,
            headline=_headline(data),
            curves=_training_curves(folder, data.records),
            result=data.result,
            directions={
                "ground_to_satellite": GROUND_TO_SATELLITE,
                "satellite_to_ground": SATELLITE_TO_GROUND,
            },
            size=_gallery_size(data),
            **_retrieval_pictures(folder, data),
            config={
                part: _shown(fields)
                for part, fields in dataclasses.asdict(data.config).items()
            },
            differences=RunConfig().differences(data.config),
            environment=_shown(_environment(data)),
        )
        (folder / PAGE).write_text(page, encoding="utf-8")
    return Path(report_dir) / PAGE


def _gallery_size(data: ReportData) -> int:
    """How many distinct aerial images there are."""
    if data.images is None:
        return len(data.pairs)
    return len(first_rows(data.images))


def _headline(data: ReportData) -> list[tuple[str, str]]:
    """(figure, what it is) of the tiles on top of the page."""
    tiles = []
    if data.result is not None:
        recalls = data.result["ground_to_satellite"]
        tiles = [
            (f"{100 * recalls[key]:.1f} %", text)
            for key, text in (
                ("r@1", "of panoramas find their place at the first answer"),
                ("r@5", "within the first five answers"),
                ("r@10", "within the first ten"),
                ("r@1%", "within the first 1 % of the gallery"),
            )
            if key in recalls
        ]
        size = _gallery_size(data)
        tiles.append((f"{size:,}", "places to choose from"))
        if size != len(data.pairs):
            text = "panoramas asked; several show one aerial image"
            tiles.append((f"{len(data.pairs):,}", text))
        if missing := data.result.get("left_out", {}).get("validation", 0):
            text = "validation pairs left out: figures of a part of the data"
            tiles.append((f"{missing:,}", text))
    training = [r for r in data.records if r["kind"] == "train"]
    if training:
        minutes = training[-1]["seconds"] / 60
        rate = float(np.median([r["pairs_per_second"] for r in training]))
        tiles.append((f"{minutes:.1f} min", "of training"))
        tiles.append((f"{rate:,.0f}", "pairs a second, median"))
    return [*tiles, *((value, name) for name, value in data.facts.items())]


def _training_curves(
    folder: Path, records: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """Draws the curves that the records allow; file, title, explanation."""
    kinds = {record["kind"] for record in records}
    drawn = []
    for kind, draw, name, title, text in _CURVES:
        if kind in kinds:
            draw(records, folder / name)
            drawn.append({"file": name, "title": title, "text": text})
    return drawn


_CURVES = (
    (
        "train",
        charts.draw_losses,
        "loss.svg",
        "What training makes small",
        "The triplet or InfoNCE loss is small when a panorama is nearer to"
        " its own aerial image than to others; the generative loss, when the"
        " knowledge generated from one view resembles the other view.",
    ),
    (
        "train",
        charts.draw_distances,
        "distances.svg",
        "True and wrong pairs draw apart",
        "Mean squared distance of descriptors. Both near zero would mean a"
        " collapse: every image described alike.",
    ),
    (
        "evaluation",
        charts.draw_recalls,
        "recalls.svg",
        "Recall on the validation split",
        "r@K: the share of panoramas whose true place is among the K most"
        " similar. The best checkpoint is the one with the highest r@1.",
    ),
    (
        "train",
        charts.draw_rate,
        "rate.svg",
        "Speed",
        "Pairs of images learnt from in a second.",
    ),
)


def _retrieval_pictures(folder: Path, data: ReportData) -> dict[str, Any]:
    """Draws recall curve, examples and pair sheet; their files."""
    if data.ground is None or data.satellite is None or not data.pairs:
        return {"recall_curve": None, "examples": {}, "pair_sheet": None}
    rows = np.arange(len(data.pairs))
    images = rows if data.images is None else data.images
    distinct = one_each(data.satellite, images)
    forth, _ = ranks(data.ground, distinct, images)
    back, _ = ranks(distinct, data.ground, RightPairs(images, rows))
    both = np.stack([forth, back[images]]).astype(np.int32)
    np.save(folder / RANKS, both, allow_pickle=False)
    charts.draw_recall_curve(
        {GROUND_TO_SATELLITE: forth, SATELLITE_TO_GROUND: back},
        len(distinct),
        folder / "recall_curve.svg",
    )
    crop = data.config.data.ground_crop
    draw_polar_pairs(data.pairs[:_SHEET_PAIRS], folder / "pairs.jpg", crop)
    examples = choose_examples(
        data.ground, data.satellite, data.pairs, forth, images=images
    )
    return {
        "recall_curve": "recall_curve.svg",
        "examples": _draw_examples(folder, examples, crop),
        "pair_sheet": "pairs.jpg",
    }


def _draw_examples(
    folder: Path,
    examples: Mapping[str, Sequence[Located]],
    crop: tuple[float, float],
) -> dict[str, list[dict[str, Any]]]:
    drawn: dict[str, list[dict[str, Any]]] = {}
    for kind, queries in examples.items():
        for number, query in enumerate(queries, 1):
            name = f"{kind}-{number}.jpg"
            draw_located(query, folder / name, crop)
            drawn.setdefault(kind, []).append(
                {"file": name, "id": query.truth, "rank": query.truth_rank}
            )
    return drawn


def _environment(data: ReportData) -> dict[str, Any]:
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    seed = data.config.train.seed
    return {**data.environment, "seed": seed, "report written": now}


def _shown(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as a table shows them."""
    return {
        name: ", ".join(map(str, value)) or "none"
        if isinstance(value, (list, tuple))
        else str(value)
        for name, value in values.items()
    }
