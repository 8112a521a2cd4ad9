"""Figures of a study as a small JSON file, and the page made of all of them.

docs/results/NAME.json, NAME-tableN.svg, and docs/results.md. The honest
reading of a study is a person's: docs/results/NAME-reading.md, if it is
there, stands below its tables.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mgtl_tf.config import RunConfig
from mgtl_tf.errors import UserError
from mgtl_tf.folders import unwritable
from mgtl_tf.folders import write_whole
from mgtl_tf.tables.grid import Grid
from mgtl_tf.tables.plot import draw_rows
from mgtl_tf.tables.results import RowResult

_GRID = [field.name for field in dataclasses.fields(Grid)]
_HEAD = """# Results

Made by `python -m experiments.tables --publish` from the files in
`docs/results/`; do not edit. Our figures and the paper's stand in columns of
their own: ours are of the data named above each table.
"""


def publish(
    name: str,
    grids: Mapping[str, Grid],
    rows: Mapping[str, Sequence[RowResult]],
    facts: Mapping[str, Any],
    docs: Path,
    search: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a study's figures and the page of all studies.

    Args:
        name: of the study.
        grids: heading ("Table 2") to the table as shown.
        rows: the same headings to what was measured.
        facts: date, command, machine, versions, seeds, search.
        docs: the folder that holds results.md.
        search: what was tried and chosen before, if anything was.

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
    tables = {}
    for heading, grid in grids.items():
        picture = ""
        if any(row.seeds for row in rows[heading]):
            picture = f"{name}-{heading.lower().replace(' ', '')}.svg"
            title = f"{name}, {heading}"
            draw_rows(rows[heading], title, folder / picture)
        tables[heading] = {
            **dataclasses.asdict(grid),
            "picture": picture,
            "measured": [_measured(row) for row in rows[heading]],
        }
    study = {"name": name, "facts": facts, "tables": tables}
    text = json.dumps({**study, "search": search or {}}, indent=1)
    write_whole(folder / f"{name}.json", text + "\n")
    return write_page(docs)


def _measured(row: RowResult) -> dict[str, Any]:
    """A row's raw figures; ranks would be too many for a repository."""
    return {
        "key": row.key,
        "changes": RunConfig().differences(row.config) if row.config else [],
        "complexity": row.complexity,
        "seeds": [
            {
                "seed": seed.seed,
                **{key: round(value, 6) for key, value in seed.recalls.items()},
                "steps": seed.steps,
                "train_seconds": round(seed.train_seconds, 1),
                "pairs_per_second": round(seed.pairs_per_second, 1),
            }
            for seed in row.seeds
        ],
    }


def write_page(docs: Path) -> Path:
    """Makes results.md of every JSON file in `docs/results`.

    Raises:
        UserError: for a file that cannot be read.
    """
    parts = [_HEAD]
    for path in sorted((docs / "results").glob("*.json")):
        try:
            parts.append(_section(json.loads(path.read_text()), path))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: not a results file ({error})") from error
    write_whole(docs / "results.md", "\n".join(parts))
    return docs / "results.md"


def _section(study: Mapping[str, Any], path: Path) -> str:
    facts = [f"- {key}: {value}" for key, value in study["facts"].items()]
    lines = [f"## {study['name']}", "", *facts]
    for heading, table in study["tables"].items():
        grid = Grid(**{key: table[key] for key in _GRID})
        lines += ["", f"### {heading}", "", grid.markdown()]
        if table["picture"]:
            lines += ["", f"![{heading}](results/{table['picture']})"]
    lines += _search_lines(study.get("search"))
    reading = path.with_name(f"{study['name']}-reading.md")
    if reading.is_file():
        lines += ["", "### Reading", "", reading.read_text().strip()]
    return "\n".join([*lines, ""])


def _search_lines(search: Mapping[str, Any] | None) -> list[str]:
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
