"""A table of the paper as text: our columns beside the paper's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mgtl_tf.reproduction.comparison import (
    RESAMPLES,
    Difference,
    paired_difference,
)
from mgtl_tf.reproduction.paper import DATASETS, RECALLS, PaperRow, paper_rows
from mgtl_tf.reproduction.results import (
    CONTROLS,
    DISTRACTORS,
    RowResult,
    Table,
)
from mgtl_tf.reproduction.rows import TABLES

_SIGNIFICANT = "†"
_NO_FLOPS = (
    "Parameters (cut after two decimals, as the paper's) and multiply-adds of"
    " a pair are those of the paper's network at the paper's size, whatever"
    " was trained. The paper's FLOPs cannot be reproduced: at 112 x 616 one"
    " VGG-16 branch alone takes 21.1 G multiply-adds."
)
_COSTS = (
    "Networks at their published size, both views together, untrained;"
    " parameters are cut after two decimals, as the paper's. Time and memory"
    " (of the whole process) are of the machine named here.",
    "Paper, MGTL: 72.29M cannot be reproduced. No reading of the paper gives"
    " it, and its own Table 2 says 79.27M of the same model.",
)
_SYNTHETIC = (
    "Ours are on a synthetic world, from random weights, with small networks:"
    " they are not CVUSA or CVACT results, and only their order can be"
    " compared with the paper's."
)

Cells = dict[str, str]


def compared_with(number: int, rows: Sequence[RowResult]) -> dict[str, str]:
    """Row key to the key of the row that its r@1 is compared with.

    In Tables 1 and 2 that is the row of ours before, in Table 4 and the
    controls w/ CMI at L = 6; the other tables compare nothing.
    """
    run = [row.key for row in rows if row.runs]
    if number in (3, DISTRACTORS):
        return {}
    if number in (1, 2):
        return dict(zip(run[1:], run, strict=False))
    if "with_cmi" not in run:
        return {}
    return {key: "with_cmi" for key in run if key != "with_cmi"}


def differences(
    pairs: dict[str, str], ranks: dict[str, list[np.ndarray]]
) -> dict[str, Difference]:
    """Row key to the difference of its r@1 to that of another row.

    Args:
        pairs: of `compared_with`.
        ranks: row key to the ranks of every seed.
    """
    return {
        key: paired_difference(ranks[key], ranks[other])
        for key, other in pairs.items()
    }


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
    size = table.gallery.size if table.gallery else None
    return f"{title}, gallery of {size:,} places" if size else title


def cells_of(table: Table) -> list[Cells]:
    """The rows, each as column name to cell; all have the same columns."""
    if table.number not in TABLES:
        return [_own_cells(table, row.title, row) for row in table.rows]
    ours = {row.key: row for row in table.rows}
    papers = [
        (row, ours.pop(row.row, None)) for row in paper_rows(table.number)
    ]
    if table.number == 3:
        return [_cost_cells(paper, row) for paper, row in papers]
    added = [(None, row) for row in ours.values()]
    return [_cells(table, paper, row) for paper, row in [*papers, *added]]


def _cells(
    table: Table, paper: PaperRow | None, row: RowResult | None
) -> Cells:
    title = row.title if row else paper.title if paper else ""
    cells = _own_cells(table, title, row)
    if table.number == 2:
        cells |= _size_cells(row)
        printed = f"{paper.parameters} / {paper.flops}" if paper else ""
        cells["paper: param. / FLOPs"] = printed
    for key, name in DATASETS.items():
        printed = _paper_recalls(paper, key) if paper else ""
        cells[f"paper, {name}: {' / '.join(RECALLS)}"] = printed
    return cells


def _paper_recalls(paper: PaperRow, dataset: str) -> str:
    found = paper.recalls.get(dataset)
    if not found:
        return ""
    return " / ".join(
        f"{found[name]:.2f}" if name in found else "–" for name in RECALLS
    )


def _own_cells(table: Table, title: str, row: RowResult | None) -> Cells:
    """Recalls, and the difference to another row."""
    cells = {"row": title}
    cells |= {name: _recall(row, name) if row else "" for name in RECALLS}
    if table.number != DISTRACTORS:
        cells["Δ r@1"] = difference_text(row.difference if row else None)
    return cells


def _recall(row: RowResult, name: str) -> str:
    """Per cent: mean and standard deviation over seeds."""
    values = row.recalls(name)
    if not values.size:
        return "not run"
    if np.isnan(values).any():  # The note below the table says why.
        return ""
    mean = f"{100 * values.mean():.2f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {100 * values.std(ddof=1):.2f}"


def difference_text(value: Difference | None) -> str:
    """Points, their 95 % interval, and a mark where it is significant."""
    if value is None:
        return ""
    mark = f" {_SIGNIFICANT}" if value.is_significant else ""
    points = (100 * part for part in (value.mean, value.low, value.high))
    return "{:+.2f} [{:+.2f}, {:+.2f}]".format(*points) + mark


def _size_cells(row: RowResult | None) -> Cells:
    """Parameters and multiply-adds of a pair; empty where not measured."""
    cost = row.complexity if row else None
    if not cost:
        return {"parameters": "", "multiply-adds": ""}
    return {
        "parameters": parameters_text(cost["parameters"]),
        "multiply-adds": f"{cost['multiply_adds'] / 1e9:.2f} G",
    }


def parameters_text(count: int) -> str:
    """All digits, and millions cut after two decimals as in the paper."""
    return f"{count:,} ({count // 10_000 / 100:.2f}M)"


def _cost_cells(paper: PaperRow, row: RowResult | None) -> Cells:
    """Table 3: ours measured, the paper's figure beside it."""
    size = _size_cells(row)
    cells = {
        "row": paper.title,
        "parameters": size["parameters"],
        "param., paper": paper.parameters,
        "multiply-adds": size["multiply-adds"],
    }
    cost = row.complexity if row else None
    names = (
        "descriptor, bytes",
        "one panorama, ms",
        "of a batch of 16, ms",
        "peak memory, MB",
    )
    if not cost:
        return {**cells, **dict.fromkeys(names, "")}
    peak = cost["peak_bytes"]
    measured = (
        f"{cost['descriptor_bytes']:,}",
        f"{1e3 * cost['one_seconds']:.1f}",
        f"{1e3 * cost['batch_seconds'] / cost['batch']:.1f}",
        "unknown" if peak is None else f"{peak / 1e6:,.0f}",
    )
    return {**cells, **dict(zip(names, measured, strict=True))}


def notes_of(table: Table) -> list[str]:
    """The lines below the table."""
    if table.number == 3:
        return [*_COSTS, *table.notes]
    found = table.gallery
    where = f" gallery {found.name}, {found.size:,} places;" if found else ""
    seeds = ", ".join(map(str, table.seeds))
    notes = [
        "Per cent, ground to satellite; mean ± standard deviation over seeds"
        f" {seeds};{where} ties count against the model (R20).",
        *_difference_note(table.number),
        *_pairs_seen(table.rows),
    ]
    notes += [_SYNTHETIC] if table.synthetic else []
    notes += [_NO_FLOPS] if table.number == 2 else []
    return [*notes, *table.notes]


def _difference_note(number: int) -> list[str]:
    if number == DISTRACTORS:
        return []
    to_cmi = number in (CONTROLS, 4)
    other = "w/ CMI, L = 6" if to_cmi else "our row above"
    return [
        f"Δ r@1: percentage points more than {other}, and the 95 % interval of"
        f" {RESAMPLES:,} paired resamples of the queries. {_SIGNIFICANT}: the"
        " interval leaves out zero and the difference is more than twice the"
        " standard error over seeds."
    ]


def _pairs_seen(rows: Sequence[RowResult]) -> list[str]:
    """How many pairs every row was trained on, counted as often as seen."""
    seen = {row.title: row.runs[0].pairs for row in rows if row.runs}
    if len(set(seen.values())) == 1:
        return [f"Every row has seen {next(iter(seen.values())):,} pairs."]
    listed = "; ".join(f"{title} {count:,}" for title, count in seen.items())
    return [f"Pairs seen in training: {listed}."] if seen else []
