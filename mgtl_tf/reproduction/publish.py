"""Figures of a study as a small JSON file, and the page made of all of them.

docs/results/NAME.json, NAME-ranks.npz (the rank of every query of every run,
from which every figure is recomputed), NAME-tableN.svg, and docs/results.md.
The interpretation of a study is written by hand: docs/results/NAME-reading.md,
if it is there, stands below its tables.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgtl_tf.evaluation.ranks import write_arrays
from mgtl_tf.reproduction.recomputing import StudyRanks, require_agreement
from mgtl_tf.reproduction.results import Table
from mgtl_tf.reproduction.tables import as_markdown, draw_table
from mgtl_tf.utils.array_files import read_archive
from mgtl_tf.utils.atomic_io import atomic_write, naming_write_errors
from mgtl_tf.utils.json_files import read_json
from mgtl_tf.utils.plain_files import UnfitFileError, damaged

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


def publish(study: StudyFigures, docs: Path, ranks: StudyRanks) -> Path:
    """Writes a study's figures and the page of all studies; the page's path.

    Args:
        study: its figures.
        docs: the folder that holds results/.
        ranks: of its runs, on every gallery of its tables.

    Raises:
        UserError: where a file cannot be written, or a figure is not that of
            the ranks.
    """
    folder = docs / "results"
    for table in study.tables:  # Before anything is written over.
        require_agreement(table, ranks, str(figures_path(docs, study.name)))
    with naming_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for table in study.tables:
        if table.has_recall:
            title = f"{study.name}, {table.heading}"
            draw_table(table, title, folder / _picture(study, table))
    arrays = {name: ranks[name].astype(np.int32) for name in sorted(ranks)}
    write_arrays(_ranks_path(folder, study.name), arrays)
    text = json.dumps(dataclasses.asdict(study), indent=1)
    atomic_write(figures_path(docs, study.name), text + "\n")
    return write_page(docs)


def figures_path(docs: Path, name: str) -> Path:
    """Where the figures of a study of this name are published."""
    return docs / "results" / f"{name}.json"


def _ranks_path(folder: Path, name: str) -> Path:
    return folder / f"{name}-ranks.npz"


def read_ranks_of(study: StudyFigures, folder: Path) -> StudyRanks:
    """The ranks of a published study; none where no file of them is there.

    Raises:
        UserError: for a damaged file.
    """
    path = _ranks_path(folder, study.name)
    if not path.exists():
        return {}
    try:
        return read_archive(path, lambda name: True, "i")
    except UnfitFileError as error:
        raise damaged(path, error, "publish its study again") from error


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
        UserError: for a file that cannot be read, or a figure that is not
            that of its run's ranks.
    """
    sections = []
    # A benchmark's later versions come first.
    for path in sorted((docs / "results").glob("*.json"), reverse=True):
        study = read_published(path)
        ranks = read_ranks_of(study, path.parent)
        for table in study.tables:
            require_agreement(table, ranks, str(path))
        sections.append(_section(study, path.parent))
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
