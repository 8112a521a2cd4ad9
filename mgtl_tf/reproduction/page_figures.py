"""What the blocks of pages say: figures of files in docs/, none typed.

    demo recall                   the demo's recall, a table
    demo output                   the same as experiments.evaluate prints it
    demo PATH FORMAT              one of its figures, such as seed d
    study NAME                    r@1 of a published study beside the paper's
    cell NAME TABLE ROW COLUMN    a cell of it, such as: cell v2 table2 vgg r@1
    transfer table                the shipped model on real and synthetic pairs
    transfer sentence             the first row of that table in words
    recorded NAME                 what benchmarks.record kept of a program
    benchmarks all                of every program that no page shows by name
    scaling table                 how cost grows, with the plots
    scaling crops                 the arithmetic of very large galleries
    gpu table                     Table 2 as benchmarks.gpu_keras measured it
    gpu PATH FORMAT               one of its figures

PATH: keys joined by "/"; FORMAT: as of Python's format, where a share in per
cent ends with "%".
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mgtl_tf.evaluation.ranks import DIRECTIONS
from mgtl_tf.evaluation.result_text import format_table
from mgtl_tf.reproduction.cells import cells_of
from mgtl_tf.reproduction.demo import read_demo
from mgtl_tf.reproduction.measured.recorded import (
    read_recorded,
    recorded_folder,
)
from mgtl_tf.reproduction.measured.scaling import (
    PLOTS,
    Scaling,
    crop_rows,
    growth_rows,
    recorded_scaling,
)
from mgtl_tf.reproduction.paper import RECALLS, paper_rows
from mgtl_tf.reproduction.publish import figures_path, read_published
from mgtl_tf.reproduction.results import CONTROLS, RowResult
from mgtl_tf.reproduction.rows import ROWS
from mgtl_tf.reproduction.transfer import transfer_rows
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json

_GPU = "gpu-table2-h200.json"


class PageFigures:
    """Gives the text of each block.

    Args:
        docs: the folder of the files.
    """

    def __init__(self, docs: Path):
        self._docs = docs

    def text_of(self, words: str) -> str:
        """The text of a block.

        Raises:
            UserError: for unknown words, or a file that cannot be read.
        """
        kind, *rest = words.split()
        if kind == "study" and len(rest) == 1:
            return self._study(rest[0])
        if kind == "cell" and len(rest) > 3:
            return self._cell(*words.split(maxsplit=4)[1:])
        if kind == "recorded" and len(rest) == 1:
            folder = recorded_folder(self._docs)
            return _output(folder / f"{rest[0]}.json")
        tables: Mapping[str, Callable[[], str]] = {
            "scaling table": self._scaling_table,
            "scaling crops": lambda: self._scaling(crop_rows),
            "demo recall": self._demo_recall,
            "demo output": self._demo_output,
            "transfer sentence": self._transfer_sentence,
            "benchmarks all": self._benchmarks,
            "gpu table": self._gpu_table,
            "transfer table": lambda: _markdown(transfer_rows(self._docs)),
        }
        if words in tables:
            return tables[words]()
        if kind in ("demo", "gpu") and len(rest) == 2:
            return _figure(self._values(kind), *rest)
        raise UserError(f"<!-- generated: {words} -->: there is no such block")

    def _values(self, kind: str) -> dict[str, Any]:
        if kind == "demo":
            return dataclasses.asdict(read_demo(self._docs))
        return self._gpu()

    def _gpu(self) -> dict[str, Any]:
        return read_json(self._docs / _GPU, dict[str, Any], "write it anew")

    def _demo_recall(self) -> str:
        demo = read_demo(self._docs)
        names = [*RECALLS, "within_25m"]
        size = f"{demo.evaluation['gallery_size']:,}"
        place = f"{demo.date}, seed {demo.seed}, {demo.machine}"
        rows = [[place, *RECALLS, "within 25 m"], ["---"] * (1 + len(names))]
        for direction in DIRECTIONS:
            shown = direction.replace("_", " ")
            shown += f", gallery of {size} places" * (
                direction == DIRECTIONS[0]
            )
            found = demo.evaluation[direction]
            rows.append([shown, *(_per_cent(found[name], 1) for name in names)])
        return _markdown(rows)

    def _demo_output(self) -> str:
        table = format_table(read_demo(self._docs).evaluation)
        return f"```text\n{table}\n```"

    def _study(self, name: str) -> str:
        """r@1 by seed, the paper's in a column of its own."""
        path = figures_path(self._docs, name)
        rows = [["row", "r@1 by seed, %", "mean", "paper, CVUSA: r@1"]]
        rows.append(["---"] * 4)
        seen = set()
        for table in read_published(path).tables:
            if table.number not in (1, 2, 4, CONTROLS):
                continue
            for row in table.rows:
                if row.runs and row.key not in seen:
                    seen.add(row.key)
                    rows.append(_r1_cells(row))
        return _markdown(rows)

    def _cell(self, name: str, table_name: str, key: str, column: str) -> str:
        path = figures_path(self._docs, name)
        for table in read_published(path).tables:
            rows = {row.title: row.key for row in table.rows}
            if table.file_name == table_name and key in rows.values():
                for cells in cells_of(table):
                    if rows.get(cells["row"]) == key and cells.get(column):
                        return cells[column]
        raise UserError(f"{path}: {table_name} has no {column} of a row {key}")

    def _transfer_sentence(self) -> str:
        title, pairs, _, first, interval, fifth, median = transfer_rows(
            self._docs
        )[2]
        return (
            f"Of {pairs} {title.replace(':', ' pairs,')}, in one gallery, it"
            f" finds {first} first (95 %: {interval}) and {fifth} in the"
            f" first five; median rank {median}."
        )

    def _benchmarks(self) -> str:
        """What was recorded and is not shown where a page speaks of it."""
        folder = recorded_folder(self._docs)
        pages = "".join(p.read_text() for p in sorted(self._docs.glob("*.md")))
        shown = set(re.findall(r"generated: recorded (\S+) -->", pages))
        shown |= {path.stem for path in folder.glob("scaling*.json")}
        paths = sorted(folder.glob("*.json"))
        return "\n\n".join(_output(p) for p in paths if p.stem not in shown)

    def _scaling_table(self) -> str:
        text = self._scaling(growth_rows)
        if recorded_scaling(self._docs) is None:
            return text
        return f"{text}\n\n![Time and memory against size](results/{PLOTS})"

    def _scaling(self, rows_of: Callable[[Scaling], list[list[str]]]) -> str:
        recorded = recorded_scaling(self._docs)
        if recorded is None:
            command = "python -m benchmarks.record scaling --full"
            return f"Not recorded yet: `{command}`."
        heading, curves = recorded
        return f"{heading}\n\n{_markdown(rows_of(curves))}"

    def _gpu_table(self) -> str:
        titles = {row.key: title for title, row in ROWS[2]}
        order = list(titles)
        rows = [["row", "seed", "r@1", "r@5", "pairs/s"], ["---"] * 5]
        for run in sorted(
            self._gpu()["runs"],
            key=lambda r: (order.index(r["row"]), r["seed"]),
        ):
            shares = (_per_cent(run["recalls"][k], 2) for k in ("r@1", "r@5"))
            rate = f"{run['pairs_per_second']:,.0f}"
            rows.append([titles[run["row"]], f"{run['seed']}", *shares, rate])
        return _markdown(rows)


def _output(path: Path) -> str:
    found = read_recorded(path)
    output = "\n".join(found.output)
    return f"{found.heading}\n\n```text\n{output}\n```"


def _r1_cells(row: RowResult) -> list[str]:
    values = 100 * row.recalls("r@1")
    paper = [
        line["cvusa"].split()[0]
        for number in (2, 4, 1)
        for line in paper_rows(number)
        if line["row"] == row.key and line["cvusa"]
    ]
    seeds = ", ".join(f"{value:.2f}" for value in values)
    return [row.title, seeds, f"{values.mean():.2f}", (paper or [""])[0]]


def _figure(values: Any, path: str, spec: str) -> str:
    for key in path.split("/"):
        if not isinstance(values, Mapping) or key not in values:
            raise UserError(f"{path}: there is no such figure")
        values = values[key]
    try:
        text = format(values, spec)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} {spec}: {error}") from error
    return f"{text[:-1]} %" if text.endswith("%") else text


def _per_cent(share: float, digits: int) -> str:
    return f"{100 * share:.{digits}f} %"


def _markdown(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
