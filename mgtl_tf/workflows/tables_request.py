"""Which of the paper's tables are asked for, and the runs that they need."""

from __future__ import annotations

from dataclasses import dataclass, field

from mgtl_tf.evaluation.joint_pairs import JointPairs
from mgtl_tf.reproduction.published_study import PublishedStudy
from mgtl_tf.reproduction.results import (
    CONDITION,
    CONTROLS,
    SEARCH,
    WARM,
    Table,
)
from mgtl_tf.reproduction.rows import Row, rows_of, titled_rows
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.reproduction.study import Study
from mgtl_tf.workflows.further_sets import FurtherSets, read_joint


@dataclass(frozen=True)
class TablesRequest:
    """Which tables are asked for.

    Attributes:
        study: whose runs they show.
        tables: numbers, 1 to 4 or TODAY.
        seeds: of every row.
        controls: whether the benchmark's control rows are trained as well.
        conditions: whether the tables' rows are measured again under the
            benchmark's conditions, such as among more distractors.
        warm: whether Table 2w's rows are, which start from one of Table 2.
        search: whether the rows of the tables are trained with every
            learning rate of the benchmark's search.
        any_code: whether finished runs of other code are accepted.
        train: whether missing runs are trained; else what is finished is
            measured and shown.
        published: earlier runs of which the figures are left: they count as
            finished, and the tables show them too.
        measure_cost: whether parameters, multiply-adds, time and memory are
            measured: for Tables 1 and TODAY of the networks that are trained,
            for Tables 2 and 3 of those at the paper's size.
        also: further data sets that all runs are measured on.
        vigor_labels, vigor_protocol: of those that are VIGOR's; None: the
            defaults.
        remarks: of the study's data, lines below every table.
    """

    study: Study
    tables: tuple[int, ...]
    seeds: tuple[int, ...]
    controls: bool = False
    conditions: bool = False
    warm: bool = False
    search: bool = False
    any_code: bool = False
    train: bool = True
    published: PublishedStudy = field(default_factory=PublishedStudy)
    measure_cost: bool = True
    also: FurtherSets = ()
    vigor_labels: str | None = None
    vigor_protocol: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def control_rows(self) -> list[tuple[str, Row]]:
        """(title, row) of the controls; none unless they are asked for."""
        return self.study.control_rows() if self.controls else []

    @property
    def warm_rows(self) -> list[tuple[str, Row]]:
        """(title, row) of Table 2w; none unless they are asked for."""
        return self.study.warm_rows() if self.warm else []

    @property
    def table_rows(self) -> tuple[Row, ...]:
        """Those of the paper's tables that these data can train."""
        return rows_of(self.tables, self.study.labelled)

    def titled(self, table: int) -> list[tuple[str, Row]]:
        """(title, row) of one of the paper's tables."""
        study = self.study
        return titled_rows(table, study.preset, study.labelled)

    @property
    def rows(self) -> list[Row]:
        """All that is trained."""
        further = [row for _, row in (*self.control_rows, *self.warm_rows)]
        return [*self.table_rows, *further]

    @property
    def runs(self) -> list[Run]:
        """All runs of the rows, begun or not."""
        return self.study.runs(self.rows, self.seeds)

    def shows(self, table: Table) -> bool:
        """Whether a published table is among those that are asked for."""
        further = {
            CONTROLS: self.controls,
            CONDITION: self.conditions,
            WARM: self.warm,
            SEARCH: self.search,
        }
        return further.get(table.number, table.number in self.tables)

    @property
    def settings(self) -> dict[str, tuple[str, ...]]:
        """Row key to how its config differs from the paper's, seed aside."""
        runs = self.study.runs(self.rows, (0,))
        return {run.row: run.changes for run in runs}

    @property
    def needed(self) -> list[Run]:
        """Those of `runs` that are not published, and what they start from.

        What they start from comes first: all stages, though no table that is
        asked for shows them.
        """
        found: list[Run] = []
        stage = self._unpublished(self.runs)
        while stage:
            found = [*stage, *found]
            there = {run.folder for run in found}
            starts = filter(None, map(self.study.start_of, stage))
            missing = {s.folder: s for s in starts if s.folder not in there}
            stage = list(missing.values())
        return found

    @property
    def needed_search(self) -> list[Run]:
        """The search's runs that are not published."""
        return self._unpublished([run for _, run in self.searched])

    def _unpublished(self, runs: list[Run]) -> list[Run]:
        seeds = self.published.seeds
        return [r for r in runs if r.config.train.seed not in seeds(r.row)]

    @property
    def searched(self) -> list[tuple[str, Run]]:
        """(title, run) of the search; none unless it is asked for.

        The rows of Tables 2 and 4, each once, at every learning rate: peers
        are trained at their settings.
        """
        if not self.search:
            return []
        titled = {
            row.key: (title, row)
            for number in self.tables
            for title, row in self.titled(number)
            if number in (2, 4)
        }
        return [
            (f"{title}, {rate:g}", run)
            for title, row in titled.values()
            for rate, run in self.study.search_runs(row)
        ]

    @property
    def joint(self) -> JointPairs | None:
        """The pairs of the further data sets."""
        if not self.also or not self.rows:
            return None
        data = self.runs[0].config.data
        return read_joint(
            self.also, data, self.vigor_labels, self.vigor_protocol
        )
