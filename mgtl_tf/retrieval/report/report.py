"""The page about a run: figures, curves, examples, and how it was made."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.aerial_images import first_rows, one_each
from mgtl_tf.datasets.records import Pair
from mgtl_tf.evaluation.ranks import Ranks
from mgtl_tf.galleries.gallery import Index
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.answers import Located, locate
from mgtl_tf.retrieval.report.charts import draw_recall_curve, draw_training
from mgtl_tf.retrieval.report.pictures import draw_located, draw_polar_pairs
from mgtl_tf.retrieval.report.rendering import TEMPLATES, render
from mgtl_tf.utils.atomic_folders import atomic_folder
from mgtl_tf.utils.scorers import DOT, Scorer

PAGE = "report.html"
"""The page's file name; its pictures stand beside it."""

DIRECTIONS = {
    "ground_to_satellite": "panorama to aerial image",
    "satellite_to_ground": "aerial image to panorama",
}

RANKS = "ranks.npz"
"""Beside the page: the ranks of all validation pairs, as of `Ranks.save`."""

_ANSWERS = 5
_SHEET_PAIRS = 3


@dataclass(frozen=True)
class Retrieval:
    """A model's descriptors of the validation pairs and their evaluation.

    Args:
        pairs: in the order of the rows; those of aerial images without a
            panorama follow.
        images: int [R], the number of each row's aerial image.
        ground: descriptors of the panoramas, float32 [Q, D].
        satellite: of all rows, float32 [R, D].
        ranks: of `evaluation.descriptors.rank_pairs`.
        result: their recall.
        scorer: the system's.
    """

    pairs: Sequence[Pair]
    images: np.ndarray
    ground: np.ndarray
    satellite: np.ndarray
    ranks: Ranks
    result: Mapping[str, Any]
    scorer: Scorer = DOT


def write_report(
    report_dir: Path | str,
    config: RunConfig,
    environment: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    retrieval: Retrieval | None = None,
) -> Path:
    """Writes report.html and its pictures; nothing is loaded from elsewhere.

    Args:
        report_dir: a new or empty folder, or an older report.
        config: of the run.
        environment: names to versions, hardware, command, ...
        records: the lines of metrics.jsonl.
        retrieval: None where there are no validation pairs.

    Returns:
        The page's path.

    Raises:
        UserError: for an image that cannot be read; an older report stays.
    """
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    environment = {**environment, "seed": config.train.seed, "written": now}
    with atomic_folder(report_dir, PAGE) as folder:
        draw_training(folder, records)
        examples = {}
        if retrieval:
            crop = config.data.ground_crop
            examples = _draw_retrieval(folder, retrieval, crop)
        page = render(
            TEMPLATES / PAGE,
            headline=_headline(records, retrieval),
            pictures={path.name for path in folder.iterdir()},
            result=retrieval.result if retrieval else None,
            directions=DIRECTIONS,
            examples=examples,
            config={
                part: _as_text(fields)
                for part, fields in dataclasses.asdict(config).items()
            },
            differences=RunConfig().differences(config),
            environment=_as_text(environment),
        )
        (folder / PAGE).write_text(page, encoding="utf-8")
    return Path(report_dir) / PAGE


def _headline(
    records: Sequence[Mapping[str, Any]], retrieval: Retrieval | None
) -> list[tuple[str, str]]:
    """(figure, what it is) of the tiles on top of the page."""
    tiles = _retrieval_tiles(retrieval) if retrieval else []
    training = [r for r in records if r["kind"] == "train"]
    if training:
        minutes = training[-1]["seconds"] / 60
        rate = float(np.median([r["pairs_per_second"] for r in training]))
        tiles.append((f"{minutes:.1f} min", "of training"))
        tiles.append((f"{rate:,.0f}", "pairs a second, median"))
    return tiles


def _retrieval_tiles(retrieval: Retrieval) -> list[tuple[str, str]]:
    result, count = retrieval.result, len(retrieval.ground)
    recalls, size = result["ground_to_satellite"], result["gallery_size"]
    tiles = [
        (f"{100 * recalls['r@1']:.1f} %", "r@1: right at the first answer"),
        (f"{100 * recalls['r@10']:.1f} %", "r@10: within the first ten"),
        (f"{size:,}", "places to choose from"),
    ]
    if size != count:
        text = "panoramas asked; several show one aerial image"
        tiles.append((f"{count:,}", text))
    if missing := result.get("left_out", {}).get("validation", 0):
        text = "validation pairs left out: figures of a part of the data"
        tiles.append((f"{missing:,}", text))
    return tiles


def _draw_retrieval(
    folder: Path, found: Retrieval, crop: tuple[float, float]
) -> dict[str, list[dict[str, Any]]]:
    """Draws recall curve, examples and pair sheet; the examples' files."""
    ranks = found.ranks
    ranks.save(folder / RANKS)
    forth, back = ranks.forth.place, ranks.back.place
    draw_recall_curve(
        dict(zip(DIRECTIONS.values(), (forth, back), strict=True)),
        ranks.places,
        folder / "recall_curve.svg",
    )
    draw_polar_pairs(
        found.pairs[: min(_SHEET_PAIRS, len(found.ground))],
        folder / "pairs.jpg",
        crop,
    )
    drawn: dict[str, list[dict[str, Any]]] = {}
    for kind, queries in choose_examples(found, forth).items():
        for number, query in enumerate(queries, 1):
            name = f"{kind}-{number}.jpg"
            draw_located(query, folder / name, lambda _: crop)
            drawn.setdefault(kind, []).append(
                {"file": name, "id": query.truth, "rank": query.truth_rank}
            )
    return drawn


def choose_examples(
    found: Retrieval, ranks: np.ndarray, each: int = 2
) -> dict[str, list[Located]]:
    """Example queries and their answers; no query is shown twice.

    Queries are ordered by the rank of their true place, then by how similar
    it is. "best" are the first, "median" those in the middle, "worst" the
    last.

    Args:
        found: the validation pairs and their descriptors.
        ranks: int [N], of each query's true place, from 1.
        each: how many of each kind, fewer where there are few pairs.
    """
    own = found.satellite[: len(found.ground)]
    similarity = found.scorer.exact(found.ground, own)
    order = np.lexsort((-similarity, ranks))
    middle = max(0, (len(order) - each) // 2)
    chosen = {
        "best": order[:each],
        "worst": order[::-1][:each],
        "median": order[middle : middle + each],
    }
    shown = [found.pairs[row] for row in first_rows(found.images)]
    places = [Place(p.id, p.aerial, p.coordinates) for p in shown]
    distinct = one_each(found.satellite, found.images)
    preprocessing = {"scorer": found.scorer.plain()}
    index = Index(Path("."), places, distinct, "", preprocessing)
    seen: set[int] = set()
    examples = {}
    for kind, candidates in chosen.items():
        rows = [row for row in candidates.tolist() if row not in seen]
        seen.update(rows)
        examples[kind] = locate(
            [found.pairs[row].ground for row in rows],
            found.ground[rows],
            index,
            _ANSWERS,
            [places[found.images[row]].id for row in rows],
        )
    return {kind: examples[kind] for kind in ("best", "median", "worst")}


def _as_text(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: ", ".join(map(str, value)) or "none"
        if isinstance(value, (list, tuple))
        else str(value)
        for name, value in values.items()
    }
