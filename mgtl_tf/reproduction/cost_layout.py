"""What models cost, as cells of Table 2 and as Table 3."""

from __future__ import annotations

from collections.abc import Sequence

from mgtl_tf.reproduction.grid import Grid
from mgtl_tf.reproduction.paper import paper_rows
from mgtl_tf.reproduction.results import RowResult

NO_FLOPS = (
    "Parameters (cut after two decimals, as the paper's) and multiply-adds of"
    " a pair are those of the paper's network at the paper's size, whatever"
    " was trained. The paper's FLOPs cannot be had: at 112 x 616 one VGG-16"
    " branch alone takes 21.1 G multiply-adds."
)
_NO_72M = (
    "Paper, MGTL: 72.29M cannot be had. No reading of the paper gives it, and"
    " its own Table 2 says 79.27M of the same model."
)
_OURS = (
    "Networks at their published size, both views together, untrained;"
    " parameters are cut after two decimals, as the paper's. Time and memory"
    " (of the whole process) are of the machine named here."
)


def cost_cells(row: RowResult | None) -> list[str]:
    """Parameters and multiply-adds of a pair; empty where not measured."""
    if row is None or row.complexity is None:
        return ["", ""]
    return [
        parameters_text(row.complexity["parameters"]),
        f"{row.complexity['multiply_adds'] / 1e9:.2f} G",
    ]


def parameters_text(count: int) -> str:
    """All digits, and millions cut after two decimals as in the paper."""
    return f"{count:,} ({count // 10_000 / 100:.2f}M)"


def cost_grid(rows: Sequence[RowResult], notes: Sequence[str]) -> Grid:
    """Table 3: ours measured, the paper's figure beside it.

    Args:
        rows: ours; those that were not measured stay empty.
        notes: further lines below it.
    """
    heads = [
        "row",
        "parameters",
        "param., paper",
        "multiply-adds",
        "descriptor, bytes",
        "one panorama, ms",
        "of a batch of 16, ms",
        "peak memory, MB",
    ]
    ours = {row.key: row for row in rows}
    lines = []
    for paper in paper_rows(3):
        row = ours.get(paper.row)
        measured = [*cost_cells(row), *_measured(row)]
        measured.insert(1, paper.parameters)
        lines.append([paper.title, *measured])
    return Grid("Table 3. Complexity", heads, lines, [_OURS, _NO_72M, *notes])


def _measured(row: RowResult | None) -> list[str]:
    cost = row.complexity if row else None
    if not cost:
        return [""] * 4
    peak = cost["peak_bytes"]
    return [
        f"{cost['descriptor_bytes']:,}",
        f"{1e3 * cost['one_seconds']:.1f}",
        f"{1e3 * cost['batch_seconds'] / cost['batch']:.1f}",
        "unknown" if peak is None else f"{peak / 1e6:,.0f}",
    ]
