"""A study's figures as one small JSON file, to and fro.

{"name", "facts", "changes_of_all", "rows": {KEY: figures}, "tables":
[{"number", "rows": {KEY: title}, ...}], "search"}. A row that is in two
tables stands once; the paper's figures are in paper.py and not here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mgtl_tf.tables.bootstrap import Difference
from mgtl_tf.tables.measured import MeasuredTable
from mgtl_tf.tables.results import RowResult
from mgtl_tf.tables.results import SeedResult

_DIGITS = 6
_FOLDERS = ("data_dir: ", "data_cache: ")


@dataclass(frozen=True)
class StudyFigures:
    """All of a study that is published.

    Attributes:
        name: of the study.
        tables: its tables.
        facts: date, command, machine, versions, seeds.
        search: what was tried and chosen before; empty without a search.
    """

    name: str
    tables: Sequence[MeasuredTable]
    facts: Mapping[str, Any]
    search: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def to_json(study: StudyFigures) -> str:
    """The file's text; ranks, too many for a repository, are left out."""
    rows = _rows(study.tables)
    trained = [set(row.changes) for row in rows.values() if row.seeds]
    shared = set.intersection(*trained) if trained else set()
    content = {
        "name": study.name,
        "facts": study.facts,
        "changes_of_all": _without_folders(sorted(shared)),
        "rows": {key: _row_out(row, shared) for key, row in rows.items()},
        "tables": [_table_out(table) for table in study.tables],
        "search": study.search,
    }
    return "\n".join(_lines(content)) + "\n"


def from_json(text: str) -> StudyFigures:
    """What `to_json` wrote.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: for other text.
    """
    content = json.loads(text)
    tables = [
        _table_in(details, content["rows"]) for details in content["tables"]
    ]
    return StudyFigures(
        content["name"], tables, content["facts"], content["search"]
    )


def _rows(tables: Sequence[MeasuredTable]) -> dict[str, RowResult]:
    """Every row once, with all that any table knows of it."""
    found: dict[str, RowResult] = {}
    for row in (row for table in tables for row in table.rows):
        other = found.get(row.key, row)
        found[row.key] = dataclasses.replace(
            row if row.seeds else other,
            complexity=row.complexity or other.complexity,
        )
    return found


def _row_out(row: RowResult, shared: set[str]) -> dict[str, Any]:
    return {
        "changes": _without_folders(c for c in row.changes if c not in shared),
        "complexity": row.complexity,
        "seeds": [
            {
                "seed": seed.seed,
                **{k: round(v, _DIGITS) for k, v in seed.recalls.items()},
                "pairs": seed.pairs,
                "train_seconds": round(seed.train_seconds, 1),
                "pairs_per_second": round(seed.pairs_per_second, 1),
            }
            for seed in row.seeds
        ],
    }


def _without_folders(changes: Iterator[str] | Sequence[str]) -> list[str]:
    """Where the data lie is of no use to others, and theirs alone."""
    return [change for change in changes if not change.startswith(_FOLDERS)]


def _table_out(table: MeasuredTable) -> dict[str, Any]:
    compared = {
        key: [round(v, _DIGITS) for v in dataclasses.astuple(difference)]
        for key, difference in table.differences.items()
    }
    return {
        "number": table.number,
        "rows": {row.key: row.title for row in table.rows},
        "measured_on": table.measured_on,
        "made_world": table.made_world,
        "seeds": list(table.seeds),
        "gallery_size": table.gallery_size,
        "differences": compared,
        "notes": list(table.notes),
    }


def _table_in(
    details: Mapping[str, Any], rows: Mapping[str, Any]
) -> MeasuredTable:
    compared = {k: Difference(*v) for k, v in details["differences"].items()}
    found = [_row_in(k, title, rows[k]) for k, title in details["rows"].items()]
    return MeasuredTable(**{**details, "rows": found, "differences": compared})


def _row_in(key: str, title: str, details: Mapping[str, Any]) -> RowResult:
    seeds = tuple(
        SeedResult(
            seed=found["seed"],
            recalls={k: v for k, v in found.items() if k.startswith("r@")},
            pairs=found["pairs"],
            train_seconds=found["train_seconds"],
            pairs_per_second=found["pairs_per_second"],
        )
        for found in details["seeds"]
    )
    changes = tuple(details["changes"])
    return RowResult(key, title, changes, seeds, details["complexity"])


def _lines(value: Any, depth: int = 2) -> Iterator[str]:
    """JSON with a line for each row: not for each number, nor one for all."""
    if not depth or not isinstance(value, dict) or not value:
        yield json.dumps(value)
        return
    yield "{"
    for place, (key, inner) in enumerate(value.items(), 1):
        first, *others = _lines(inner, depth - 1)
        lines = [f"{json.dumps(key)}: {first}", *others]
        comma = "," if place < len(value) else ""
        yield from (f" {line}" for line in lines[:-1])
        yield f" {lines[-1]}{comma}"
    yield "}"
