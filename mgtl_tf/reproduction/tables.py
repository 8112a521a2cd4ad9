"""A table of the paper as text and picture, the paper's figures beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.reproduction.comparison import RESAMPLES, Difference
from mgtl_tf.reproduction.further import further_cells, further_note
from mgtl_tf.reproduction.paper import DATASETS, RECALLS, paper_rows
from mgtl_tf.reproduction.results import (
    CONDITION,
    CONTROLS,
    SEARCH,
    WARM,
    RowResult,
    Table,
)
from mgtl_tf.reproduction.rows import TABLES
from mgtl_tf.retrieval.report.charts import COLORS, new_figure

_SIGNIFICANT = "†"
_NO_FLOPS = (
    "Parameters (cut after two decimals, as the paper's) and multiply-adds of"
    " a pair are those of the paper's network at the paper's size, whatever"
    " was trained. The paper's FLOPs cannot be reproduced: at 112 x 616 one"
    " VGG-16 branch alone takes 21.1 G multiply-adds."
)
_AS_TRAINED = (
    "Parameters (both views, frozen blocks included), multiply-adds of a pair,"
    " bytes of a descriptor (float32) and the time of one panorama's are of the"
    " networks that were trained here, on the machine named here."
)
_COSTS = (
    "Networks at their published size, both views together, untrained;"
    " parameters are cut after two decimals, as the paper's. Time and memory"
    " (of the whole process) are of the machine named here.",
    "Paper, MGTL: 72.29M cannot be reproduced. No reading of the paper gives"
    " it, and its own Table 2 says 79.27M of the same model.",
)
_SYNTHETIC = (
    "Ours are on a synthetic world{}: they are not CVUSA or CVACT results, and"
    " only their order can be compared with the paper's."
)

_NOT_COMPARED = (CONDITION, SEARCH)

Cells = dict[str, str]


def compared_with(number: int, rows: Sequence[RowResult]) -> dict[str, str]:
    """Row key to the key of the row that its r@1 is compared with.

    Tables 1, 2 and 2w: our row before; Table 4 and the controls: w/ CMI at
    L = 6.
    """
    run = [row.key for row in rows if row.runs]
    if number in (1, 2, WARM):
        return dict(zip(run[1:], run, strict=False))
    if number in (3, CONDITION, SEARCH) or "with_cmi" not in run:
        return {}
    return {key: "with_cmi" for key in run if key != "with_cmi"}


def as_text(table: Table) -> str:
    """For a screen: columns aligned by blanks."""
    notes = [f"  {note}" for note in notes_of(table)]
    return "\n".join([title_of(table), "", _layout(table, "simple"), *notes])


def as_markdown(table: Table) -> str:
    """For a page; the first column to the left, others to the right."""
    notes = "\n".join(f"- {note}" for note in notes_of(table))
    return f"**{title_of(table)}**\n\n{_layout(table, 'pipe')}\n\n{notes}"


def _layout(table: Table, style: str) -> str:
    # Not at import: pandas takes a second.
    import pandas

    frame = pandas.DataFrame(cells_of(table))
    sides = ["left", *["right"] * (len(frame.columns) - 1)]
    return frame.to_markdown(
        index=False, tablefmt=style, colalign=sides, disable_numparse=True
    )


def title_of(table: Table) -> str:
    """The table's name, its data and its gallery."""
    if table.number == 3:
        return "Table 3. Complexity"
    title = f"{table.heading}. {table.measured_on}"
    size = table.places
    return f"{title}, gallery of {size:,} places" if size else title


def cells_of(table: Table) -> list[Cells]:
    """The rows, each as column name to cell; all have the same columns."""
    ours = {row.key: row for row in table.rows}
    printed = paper_rows(table.number) if table.number in TABLES else []
    pairs: list[tuple[Cells, RowResult | None]] = [
        (paper, ours.pop(paper["row"], None)) for paper in printed
    ]
    cells_of_row = _cost_cells if table.number == 3 else _recall_cells
    if table.number != 3:
        pairs += [({}, row) for row in ours.values()]
    return [cells_of_row(table, paper, row) for paper, row in pairs]


def _recall_cells(table: Table, paper: Cells, row: RowResult | None) -> Cells:
    cells = {"row": row.title if row else paper["title"]}
    cells |= {name: _recall(row, name) for name in RECALLS}
    if table.number not in _NOT_COMPARED:
        cells["Δ r@1"] = _difference(row.difference if row else None)
    if table.further:
        cells |= further_cells(table.further, row.runs if row else ())
    if table.number == 2:
        cells |= _size_cells(row)
        sizes = paper and f"{paper['parameters']} / {paper['flops']}"
        cells["paper: param. / FLOPs"] = sizes or ""
    if table.number in TABLES:
        for key, name in DATASETS.items():
            recalls = paper.get(key, "").replace("-", "–").split()
            title = f"paper, {name}: {' / '.join(RECALLS)}"
            cells[title] = " / ".join(recalls)
    if table.number == 1 and any(r.complexity for r in table.rows):
        cells |= _size_cells(row) | _descriptor_cells(row)
    return cells


def _recall(row: RowResult | None, name: str) -> str:
    """Per cent: mean and standard deviation over seeds."""
    if row is None:
        return ""
    values = row.recalls(name)
    if not values.size:
        return "not run"
    if np.isnan(values).any():
        return ""
    mean = f"{100 * values.mean():.2f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {100 * values.std(ddof=1):.2f}"


def _difference(value: Difference | None) -> str:
    """Points, their 95 % interval, and a mark where it is significant."""
    if value is None:
        return ""
    mark = f" {_SIGNIFICANT}" if value.is_significant else ""
    points = (100 * part for part in (value.mean, value.low, value.high))
    return "{:+.2f} [{:+.2f}, {:+.2f}]".format(*points) + mark


def _size_cells(row: RowResult | None) -> Cells:
    cost = row.complexity if row else None
    if not cost:
        return {"parameters": "", "multiply-adds": ""}
    count = cost["parameters"]
    return {
        # All digits, and millions cut after two decimals as in the paper.
        "parameters": f"{count:,} ({count // 10_000 / 100:.2f}M)",
        "multiply-adds": f"{cost['multiply_adds'] / 1e9:.2f} G",
    }


def _cost_cells(table: Table, paper: Cells, row: RowResult | None) -> Cells:
    size = _size_cells(row)
    cells = {
        "row": paper["title"],
        "parameters": size["parameters"],
        "param., paper": paper["parameters"],
        "multiply-adds": size["multiply-adds"],
        **_descriptor_cells(row),
        "of a batch of 16, ms": "",
        "peak memory, MB": "",
    }
    cost: dict[str, Any] = (row.complexity if row else None) or {}
    if cost:
        peak = cost["peak_bytes"]
        seconds = cost["batch_seconds"] / cost["batch"]
        cells |= {
            "of a batch of 16, ms": f"{1e3 * seconds:.1f}",
            "peak memory, MB": f"{peak / 1e6:,.0f}" if peak else "unknown",
        }
    return cells


def _descriptor_cells(row: RowResult | None) -> Cells:
    cost = row.complexity if row else None
    if not cost:
        return {"descriptor, bytes": "", "one panorama, ms": ""}
    return {
        "descriptor, bytes": f"{cost['descriptor_bytes']:,}",
        "one panorama, ms": f"{1e3 * cost['one_seconds']:.1f}",
    }


def notes_of(table: Table) -> list[str]:
    """The lines below the table."""
    if table.number == 3:
        return [*_COSTS, *table.notes]
    notes = [
        "Per cent, ground to satellite; mean ± standard deviation over"
        f" {_seeds(table)}; ties count against the model (R20)."
    ]
    if table.number not in _NOT_COMPARED:
        to_cmi = table.number in (CONTROLS, 4)
        other = "w/ CMI, L = 6" if to_cmi else "our row above"
        notes.append(
            f"Δ r@1: percentage points more than {other}, and the 95 % interval"
            f" of {RESAMPLES:,} paired resamples of the queries."
            f" {_SIGNIFICANT}: the interval leaves out zero and the difference"
            " is more than twice the standard error over seeds."
        )
    notes += _origin(table)
    notes += [further_note(table.further)] if table.further else []
    notes += _pairs_seen(table.rows)
    notes += _backbones(table.rows)
    if table.synthetic:
        notes.append(_SYNTHETIC.format(_start(table.rows)))
    notes += [_NO_FLOPS] if table.number == 2 else []
    if table.number == 1 and any(row.complexity for row in table.rows):
        notes.append(_AS_TRAINED)
    return [*notes, *table.notes]


def _seeds(table: Table) -> str:
    """Such as "seeds 0, 1", and how many of them rows with fewer have."""
    text = f"seeds {', '.join(map(str, table.seeds))}"
    counts = {row.title: len(row.runs) for row in table.rows if row.runs}
    fewer = [
        f"{title} {count}"
        for title, count in counts.items()
        if count < len(table.seeds)
    ]
    return f"{text} (how many of them: {'; '.join(fewer)})" if fewer else text


def _origin(table: Table) -> list[str]:
    """What the figures rest on: ranks, or recalls alone."""
    if table.gallery:
        return [
            "Every figure is recomputed from the stored rank of every query;"
            f" digest of the gallery: {table.gallery}."
        ]
    if not table.has_recall:
        return []
    return [
        "No ranks of these runs are left: the cells rest on the recalls that"
        " were stored of each run, Δ r@1 on the difference that was stored."
    ]


def _backbones(rows: Sequence[RowResult]) -> list[str]:
    """Digests of the weights that backbones began with, where known."""
    found = {
        row.title: ", ".join(
            sorted({run.backbone_digest[:16] or "none" for run in row.runs})
        )
        for row in rows
        if row.runs
    }
    if set(found.values()) <= {"none"}:
        return []
    if len(set(found.values())) == 1:
        return [f"Digest of every backbone's weights: {found.popitem()[1]}."]
    listed = "; ".join(f"{title} {name}" for title, name in found.items())
    return [f"Digest of the backbone's weights: {listed}."]


def _start(rows: Sequence[RowResult]) -> str:
    """Says that no run was given weights, where that is so."""
    given = any(run.backbone_digest for row in rows for run in row.runs)
    return "" if given else ", from random weights"


def _pairs_seen(rows: Sequence[RowResult]) -> list[str]:
    seen = {row.title: row.runs[0].pairs for row in rows if row.runs}
    if len(set(seen.values())) == 1:
        return [f"Every row has seen {next(iter(seen.values())):,} pairs."]
    listed = "; ".join(f"{title} {count:,}" for title, count in seen.items())
    return [f"Pairs seen in training: {listed}."] if seen else []


def draw_table(table: Table, title: str, path: Path) -> None:
    """Bars of the mean r@1 of our rows that were run, a point for every seed.

    The axis begins below the lowest seed, so that differences can be seen.

    Args:
        table: with recall.
        title: of the picture.
        path: of the SVG file.
    """
    rows = [row for row in table.rows if row.runs]
    seeds = [100 * row.recalls("r@1") for row in rows]
    start = max(0.0, 5 * np.floor((min(map(np.min, seeds)) - 5) / 5))
    with new_figure(path, 7, 0.9 + 0.45 * len(rows)) as figure:
        axis = figure.add_subplot()
        means = [values.mean() for values in seeds]
        axis.barh(range(len(rows)), means, 0.6, color=COLORS[0], alpha=0.35)
        for place, values in enumerate(seeds):
            axis.plot(values, [place] * len(values), "ko", ms=4)
        axis.set_xlim(left=start)
        axis.set_yticks(range(len(rows)), [row.title for row in rows])
        axis.invert_yaxis()
        axis.set_xlabel(
            f"r@1, per cent (the axis begins at {start:g})\npoints: seeds"
        )
        axis.set_title(title, loc="left")
