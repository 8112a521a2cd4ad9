"""Figures of a study as a small JSON file, and the page made of all of them.

docs/results/NAME.json, NAME-tableN.svg, and docs/results.md. The honest
reading of a study is a person's: docs/results/NAME-reading.md, if it is
there, stands below its tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mgtl_tf.reproduction.grid import Grid
from mgtl_tf.reproduction.layout import table_grid
from mgtl_tf.reproduction.measured import MeasuredTable
from mgtl_tf.reproduction.plot import draw_rows
from mgtl_tf.reproduction.study_json import StudyFigures, from_json, to_json
from mgtl_tf.utils.atomic_io import unwritable, write_whole
from mgtl_tf.utils.json_files import LARGEST
from mgtl_tf.utils.plain_files import UnfitFileError, damaged, read_bytes

_HEAD = """# Results

Made by `python -m experiments.tables --publish` from the files in
`docs/results/`; do not edit. Our figures and the paper's stand in columns of
their own: ours are of the data named above each table.
"""


def publish(study: StudyFigures, docs: Path) -> Path:
    """Writes a study's figures and the page of all studies.

    Args:
        study: its figures.
        docs: the folder that holds results.md.

    Returns:
        the page's path.

    Raises:
        UserError: where a file cannot be written.
    """
    folder = docs / "results"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(f"--docs_dir={docs}", error) from error
    for table in study.tables:
        if table.has_recall:
            title = f"{study.name}, {table.heading}"
            draw_rows(table.rows, title, folder / _picture(study.name, table))
    write_whole(folder / f"{study.name}.json", to_json(study))
    return write_page(docs)


def _picture(name: str, table: MeasuredTable) -> str:
    return f"{name}-{table.file_name}.svg"


def write_page(docs: Path) -> Path:
    """Makes results.md of every JSON file in `docs/results`.

    Raises:
        UserError: for a file that cannot be read.
    """
    parts = [_HEAD]
    for path in sorted((docs / "results").glob("*.json")):
        try:
            text = read_bytes(path, LARGEST).decode(errors="replace")
            parts.append(_section(from_json(text), path))
        except UnfitFileError as error:
            remedy = "publish its study again, or remove it"
            raise damaged(path, error, remedy) from error
    write_whole(docs / "results.md", "\n".join(parts))
    return docs / "results.md"


def _section(study: StudyFigures, path: Path) -> str:
    facts = [f"- {key}: {value}" for key, value in study.facts.items()]
    lines = [f"## {study.name}", "", *facts]
    for table in study.tables:
        grid = table_grid(table)
        lines += ["", f"### {table.heading}", "", grid.markdown()]
        if table.has_recall:
            picture = _picture(study.name, table)
            lines += ["", f"![{table.heading}](results/{picture})"]
    lines += _search_lines(study.search)
    reading = path.with_name(f"{study.name}-reading.md")
    if reading.is_file():
        lines += ["", "### Reading", "", reading.read_text().strip()]
    return "\n".join([*lines, ""])


def _search_lines(search: Mapping[str, Any]) -> list[str]:
    """What every row was tried with, the chosen setting first."""
    if not search:
        return []
    trials = search["trials"]
    rows = []
    for key, tried in trials.items():
        ranked = sorted(tried, key=lambda trial: -trial["r@1"])
        shown = [
            " ".join(str(v) for n, v in trial.items() if n != "r@1")
            + f": {100 * trial['r@1']:.2f}"
            for trial in ranked
        ]
        rows.append([key, *shown])
    count = max(len(row) for row in rows)
    # A row may have been tried fewer times than another.
    rows = [row + [""] * (count - len(row)) for row in rows]
    heads = ["row", *(f"trial {i}" for i in range(1, count))]
    title = (
        f"r@1, per cent, after {search['steps']} steps on the tuning world,"
        " seed 0; the best was taken"
    )
    return ["", "### Search", "", Grid(title, heads, rows).markdown()]
