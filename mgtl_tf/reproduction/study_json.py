"""A study's figures as one small JSON file, to and fro.

{"name", "facts", "changes_of_all", "rows": {KEY: changes and costs}, "runs":
{NAME: pairs and time}, "measurements": [{"table", "row", "gallery", "seed",
"run", recalls}], "tables": [{"number", "rows": {KEY: title}, ...}], "search"}.
A recall belongs to its table and gallery, so a row that stands in several
tables has measurements in each. The paper's figures are in paper.py.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mgtl_tf.reproduction.bootstrap import Difference
from mgtl_tf.reproduction.measured import MeasuredTable
from mgtl_tf.reproduction.results import Gallery, RowResult, SeedResult
from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.plain_files import UnfitFileError, quoted

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


@dataclass(frozen=True)
class _Row:
    """A line of `rows`."""

    changes: list[str]
    complexity: dict[str, Any] | None


@dataclass(frozen=True)
class _Run:
    """A line of `runs`."""

    pairs: int
    train_seconds: float
    pairs_per_second: float


@dataclass(frozen=True)
class _Measurement:
    """A line of `measurements`, besides its recalls."""

    table: int
    row: str
    gallery: Gallery
    seed: int
    run: str


@dataclass(frozen=True)
class _Table:
    """A line of `tables`."""

    number: int
    rows: dict[str, str]
    measured_on: str
    made_world: bool
    seeds: list[int]
    differences: dict[str, tuple[float, float, float, float]]
    notes: list[str]


@dataclass(frozen=True)
class _File:
    """What a study's file holds."""

    name: str
    facts: dict[str, Any]
    rows: dict[str, _Row]
    runs: dict[str, _Run]
    measurements: list[_Measurement]
    tables: list[_Table]
    search: dict[str, Any]


def to_json(study: StudyFigures) -> str:
    """The file's text; ranks, too many for a repository, are left out.

    Raises:
        ValueError: where two tables say different things of one row or run.
    """
    rows = [row for table in study.tables for row in table.rows]
    trained = [set(row.changes) for row in rows if row.seeds]
    shared = set.intersection(*trained) if trained else set()
    content = {
        "name": study.name,
        "facts": study.facts,
        "changes_of_all": _without_folders(sorted(shared)),
        "rows": _rows_out(rows, shared),
        "runs": _runs_out(rows),
        "measurements": [
            line for table in study.tables for line in _measurements(table)
        ],
        "tables": [_table_out(table) for table in study.tables],
        "search": study.search,
    }
    return "\n".join(_lines(content)) + "\n"


def from_json(text: str) -> StudyFigures:
    """What `to_json` wrote.

    Raises:
        UnfitFileError: for other text.
    """
    # NaN stands for a spread over one seed.
    parse_json(text, _File, finite=False)
    content = parse_json(text, dict[str, Any], finite=False)
    _require_known(content)
    try:
        tables = [_table_in(details, content) for details in content["tables"]]
    except ValueError as error:
        raise UnfitFileError(str(error)) from error
    return StudyFigures(
        content["name"], tables, content["facts"], content["search"]
    )


def _require_known(content: Mapping[str, Any]) -> None:
    """Every table's rows, and every measurement's run, must be there."""
    rows = {key for table in content["tables"] for key in table["rows"]}
    runs = {found["run"] for found in content["measurements"]}
    for found in content["measurements"]:
        recalls = {k: v for k, v in found.items() if k.startswith("r@")}
        for name, value in recalls.items():
            if not isinstance(value, float | int):
                raise UnfitFileError(f"{name}={quoted(value)}: no number")
    for names, place in ((rows, "rows"), (runs, "runs")):
        if unknown := names - content[place].keys():
            raise UnfitFileError(f"{place} lacks {quoted(min(unknown))}")


def _rows_out(rows: Sequence[RowResult], shared: set[str]) -> dict[str, Any]:
    """What is true of a row wherever it was measured, once for each key."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = found.setdefault(row.key, {"changes": [], "complexity": None})
        if row.seeds:
            own = (change for change in row.changes if change not in shared)
            _set_once(known, "changes", _without_folders(own), row.key)
        if row.complexity is not None:
            _set_once(known, "complexity", row.complexity, row.key)
    return found


def _runs_out(rows: Sequence[RowResult]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for seed in (seed for row in rows for seed in row.seeds):
        details = {
            "pairs": seed.pairs,
            "train_seconds": round(seed.train_seconds, 1),
            "pairs_per_second": round(seed.pairs_per_second, 1),
        }
        _set_once(found, seed.run, details, "runs")
    return found


def _set_once(into: dict[str, Any], name: str, value: Any, what: str) -> None:
    if into.get(name) and into[name] != value:
        raise ValueError(f"{what}: two tables differ in its {name}")
    into[name] = value


def _measurements(table: MeasuredTable) -> Iterator[dict[str, Any]]:
    for row in table.rows:
        for seed in row.seeds:
            yield {
                "table": table.number,
                "row": row.key,
                "gallery": dataclasses.asdict(seed.gallery),
                "seed": seed.seed,
                "run": seed.run,
                **{k: round(v, _DIGITS) for k, v in seed.recalls.items()},
            }


def _without_folders(changes: Iterable[str]) -> list[str]:
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
        "differences": compared,
        "notes": list(table.notes),
    }


def _table_in(
    details: Mapping[str, Any], content: Mapping[str, Any]
) -> MeasuredTable:
    compared = {k: Difference(*v) for k, v in details["differences"].items()}
    found = []
    for key, title in details["rows"].items():
        seeds = tuple(_seeds_in(details["number"], key, content))
        row = content["rows"][key]
        changes = tuple(row["changes"]) if seeds else ()
        found.append(RowResult(key, title, changes, seeds, row["complexity"]))
    return MeasuredTable(**{**details, "rows": found, "differences": compared})


def _seeds_in(
    number: int, key: str, content: Mapping[str, Any]
) -> Iterator[SeedResult]:
    for found in content["measurements"]:
        if (found["table"], found["row"]) == (number, key):
            yield SeedResult(
                seed=found["seed"],
                run=found["run"],
                gallery=Gallery(**found["gallery"]),
                recalls={k: v for k, v in found.items() if k.startswith("r@")},
                **content["runs"][found["run"]],
            )


def _lines(value: Any, depth: int = 2) -> Iterator[str]:
    """JSON with a line for each row: not for each number, nor one for all."""
    if not depth or not isinstance(value, dict | list) or not value:
        yield json.dumps(value)
        return
    named = isinstance(value, dict)
    yield "{" if named else "["
    for place, key in enumerate(value):
        inner = value[key] if named else key
        first, *others = _lines(inner, depth - 1)
        lines = [f"{json.dumps(key)}: {first}" if named else first, *others]
        comma = "," if place < len(value) - 1 else ""
        yield from (f" {line}" for line in lines[:-1])
        yield f" {lines[-1]}{comma}"
    yield "}" if named else "]"
