"""Figures of a study as a small JSON file, and the page made of all of them.

docs/results/NAME.json, NAME-tableN.svg, and docs/results.md. The
interpretation of a study is written by hand: docs/results/NAME-reading.md, if
it is there, stands below its tables.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.reproduction.results import Table
from mgtl_tf.reproduction.tables import as_markdown, draw_table
from mgtl_tf.utils.atomic_io import atomic_write, naming_write_errors
from mgtl_tf.utils.json_files import read_json

_HEAD = """# Results

Made by `python -m experiments.tables --publish` from the files in
`docs/results/`; do not edit. Our figures and the paper's stand in columns of
their own: ours are of the data named above each table.
"""


@dataclass(frozen=True)
class StudyFigures:
    """All of a study that is published; the paper's figures are in paper.csv.

    Attributes:
        name: of the study.
        facts: date, command, machine, versions, seeds.
        changes: row key to how its config differs from the paper's.
        tables: its tables.
    """

    name: str
    facts: dict[str, str]
    changes: dict[str, tuple[str, ...]]
    tables: tuple[Table, ...]


def publish(study: StudyFigures, docs: Path) -> Path:
    """Writes a study's figures and the page of all studies; the page's path.

    Raises:
        UserError: where a file of the folder `docs` cannot be written.
    """
    folder = docs / "results"
    with naming_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for table in study.tables:
        if table.has_recall:
            title = f"{study.name}, {table.heading}"
            draw_table(table, title, folder / _picture(study, table))
    text = json.dumps(dataclasses.asdict(study), indent=1)
    atomic_write(folder / f"{study.name}.json", text + "\n")
    return write_page(docs)


def read_published(path: Path) -> StudyFigures:
    """What `publish` wrote.

    Raises:
        UserError: for a file that cannot be read.
    """
    remedy = "publish its study again, or remove it"
    return read_json(path, StudyFigures, remedy)


def write_page(docs: Path) -> Path:
    """Makes results.md of every JSON file in `docs/results`; its path.

    Raises:
        UserError: for a file that cannot be read.
    """
    paths = sorted((docs / "results").glob("*.json"))
    sections = [_section(read_published(path), path.parent) for path in paths]
    atomic_write(docs / "results.md", "\n".join([_HEAD, *sections]))
    return docs / "results.md"


def _picture(study: StudyFigures, table: Table) -> str:
    return f"{study.name}-{table.file_name}.svg"


def _section(study: StudyFigures, folder: Path) -> str:
    facts = [f"- {key}: {value}" for key, value in study.facts.items()]
    lines = [f"## {study.name}", "", *facts]
    for table in study.tables:
        lines += ["", f"### {table.heading}", "", as_markdown(table)]
        if table.has_recall:
            picture = _picture(study, table)
            lines += ["", f"![{table.heading}](results/{picture})"]
    reading = folder / f"{study.name}-reading.md"
    if reading.is_file():
        lines += ["", "### Reading", "", reading.read_text().strip()]
    return "\n".join([*lines, ""])
