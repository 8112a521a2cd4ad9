"""What is published of a study, so that it goes on where its runs are gone.

Runs take gigabytes and stay on the machine that trained them; their figures
and ranks are small files in docs/results/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mgtl_tf.reproduction.publish import (
    StudyFigures,
    figures_path,
    read_published,
    read_ranks_of,
)
from mgtl_tf.reproduction.recomputing import StudyRanks, recomputed, row_of
from mgtl_tf.reproduction.results import CONDITION, RowResult, RunResult, Table
from mgtl_tf.utils.errors import UserError

_JOINED = {"machine": "; ", "versions": "; ", "seeds": ", ", "code": ", "}


@dataclass(frozen=True)
class PublishedStudy:
    """Figures and ranks of a study's earlier runs; by default of none.

    Attributes:
        figures: of docs/results/NAME.json.
        ranks: of docs/results/NAME-ranks.npz.
        replaced: the published tables with nothing but the rows that
            `without` left out.
    """

    figures: StudyFigures | None = None
    ranks: StudyRanks = field(default_factory=dict)
    replaced: tuple[Table, ...] = ()

    @classmethod
    def read(cls, docs: Path, name: str) -> PublishedStudy:
        """What `docs` holds of the study of this name, which may be nothing.

        Raises:
            UserError: for a file that cannot be read.
        """
        path = figures_path(docs, name)
        if not path.is_file():
            return cls()
        figures = read_published(path)
        return cls(figures, read_ranks_of(figures, path.parent))

    @property
    def _tables(self) -> tuple[Table, ...]:
        return self.figures.tables if self.figures else ()

    def seeds(self, row: str) -> set[int]:
        """Of a row's runs that were trained and published.

        Figures of other conditions alone do not count.
        """
        return {
            run.seed
            for table in self._tables
            if table.number != CONDITION
            for found in table.rows
            if found.key == row
            for run in found.runs
        }

    def without(self, rows: Sequence[str]) -> PublishedStudy:
        """All but these rows, which are then trained anew.

        A row without runs is of costs alone (Table 3), and stays.

        Args:
            rows: keys.

        Raises:
            UserError: for a key of no published row.
        """
        if not rows or self.figures is None:
            return self
        known = {row.key for table in self._tables for row in table.rows}
        for key in rows:
            if key not in known:
                raise UserError(
                    f"--replace_rows={key}: is not published; give a row's"
                    " key, such as vgg of vgg-seed0 (--dry_run lists them)"
                )
        tables = [_parted(table, rows) for table in self._tables]
        ranks = {
            name: found
            for name, found in self.ranks.items()
            if row_of(name) not in rows
        }
        figures = replace(self.figures, tables=tuple(t for t, _ in tables))
        replaced = tuple(table for _, table in tables if table.rows)
        return PublishedStudy(figures, ranks, replaced)

    def require_kept(self, study: StudyFigures, path: Path) -> None:
        """Refuses to publish a study that lacks a run which is published.

        Args:
            study: what is to be published in place of this.
            path: of the published figures.

        Raises:
            UserError: naming one of the runs.
        """
        lost = _runs(self._tables) - _runs(study.tables)
        if lost:
            heading, row, seed = min(lost)
            raise UserError(
                f"{path}: holds {heading}, {row}, seed {seed}, which would be"
                " dropped; keep it by --continue_published, ask for its table"
                " and seed where --replace_rows names it, or remove the file"
            )

    def require_same(self, changes: Mapping[str, tuple[str, ...]]) -> None:
        """Refuses to add to rows that were trained by other settings.

        Args:
            changes: row key to how its config differs from the paper's now.

        Raises:
            UserError: naming the first row whose differences were others.
        """
        published = self.figures.changes if self.figures else {}
        for row, now in changes.items():
            then = published.get(row, now)
            if set(then) != set(now) and self.seeds(row):
                other = ", ".join(sorted(set(then) ^ set(now)))
                raise UserError(
                    f"{row}: is published with other settings ({other});"
                    f" --replace_rows={row} trains it anew in their place"
                )

    def extended(
        self, shown: tuple[Table, ...], ranks: StudyRanks
    ) -> tuple[Table, ...]:
        """The tables with what is published and was not run again.

        Args:
            shown: tables of runs that are here; they come first, and published
                tables that were not asked for come last.
            ranks: of those runs.

        Raises:
            UserError: for runs of another gallery than the published ones.
        """
        old = {table.heading: table for table in self._tables}
        both = {**self.ranks, **ranks}
        found = [
            recomputed(_merged(old.pop(t.heading), t), both)
            if t.heading in old
            else t
            for t in shown
        ]
        return (*found, *old.values())

    def joined(self, study: StudyFigures) -> StudyFigures:
        """A study's figures with facts and settings of the published rows.

        Date and command stay those of the figures that are added.
        """
        if self.figures is None:
            return study
        facts = {
            name: _joined(self.figures.facts.get(name, ""), fact, _JOINED[name])
            if name in _JOINED
            else fact
            for name, fact in study.facts.items()
        }
        kept = {**self.figures.facts, **facts}
        changes = {**self.figures.changes, **study.changes}
        return replace(study, facts=kept, changes=changes)


def _parted(table: Table, rows: Sequence[str]) -> tuple[Table, Table]:
    """A table without the runs of these rows, and one of those alone."""
    gone = [row for row in table.rows if row.key in rows and row.runs]
    left = tuple(row for row in table.rows if row not in gone)
    return replace(table, rows=left), replace(table, rows=tuple(gone))


def _runs(tables: tuple[Table, ...]) -> set[tuple[str, str, int]]:
    """(heading, key of the row, seed) of all runs."""
    return {
        (table.heading, row.key, run.seed)
        for table in tables
        for row in table.rows
        for run in row.runs
    }


def _joined(old: str, new: str, separator: str) -> str:
    """Each part once, in order."""
    parts = [part for part in (old, new) if part]
    listed = separator.join(parts).split(separator)
    ordered = sorted(listed) if separator == ", " else listed
    return separator.join(dict.fromkeys(ordered))


def _merged(old: Table, new: Table) -> Table:
    there = {row.key: row for row in old.rows}
    rows = [_row(there.pop(row.key, None), row) for row in new.rows]
    seeds = sorted({*old.seeds, *new.seeds})
    notes = dict.fromkeys((*new.notes, *old.notes))
    try:
        return replace(
            new,
            rows=(*rows, *there.values()),
            seeds=tuple(seeds),
            notes=tuple(notes),
        )
    except ValueError as error:
        raise UserError(
            f"{error}; the published runs and those here must be measured on"
            " the same pairs"
        ) from error


def _row(old: RowResult | None, new: RowResult) -> RowResult:
    if old is None:
        return new
    runs: dict[int, RunResult] = {run.seed: run for run in old.runs}
    runs |= {run.seed: run for run in new.runs}
    ordered = tuple(runs[seed] for seed in sorted(runs))
    return replace(
        new, runs=ordered, complexity=new.complexity or old.complexity
    )
