"""What `experiments.tables` was asked for, and what follows from that."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgtl_tf.reproduction.benchmark import BENCHMARKS, Benchmark
from mgtl_tf.reproduction.minutes import read_budget
from mgtl_tf.reproduction.rows import ROWS, Row, honest_title, rows_of
from mgtl_tf.reproduction.study import (
    Study,
    benchmark_study,
    control_rows,
    data_study,
)
from mgtl_tf.utils.errors import UserError


@dataclass(frozen=True)
class TablesJob:
    """What `experiments.tables` was asked for.

    Attributes:
        tables: numbers, 1 to 4.
        dataset: procedural, cvusa or cvact.
        size: of the procedural benchmark.
        data_dir: of a data set on disk.
        studies_dir: holds a folder for every study.
        seeds: of every row; empty: the benchmark's own, or seed 0.
        common: config fields for every row, over those of the study.
        workers: runs at once; 0: as many as fit the machine.
        search: whether settings are searched for first.
        controls: whether the benchmark's control rows are run as well, and
            all rows measured on its harder gallery.
        any_code: whether finished runs of other code are taken.
        minutes: budget of every run, as steps that are measured once a row;
            0: the budget is in steps or epochs.
        measure_cost: whether parameters, multiply-adds, time and memory of
            the rows at the paper's size are measured for Tables 2 and 3.
    """

    tables: tuple[int, ...]
    dataset: str
    size: str
    data_dir: str
    studies_dir: Path
    seeds: tuple[int, ...] = ()
    common: Mapping[str, Any] | None = None
    workers: int = 0
    search: bool = False
    controls: bool = False
    any_code: bool = False
    measure_cost: bool = True
    minutes: float = 0.0

    @property
    def benchmark(self) -> Benchmark | None:
        """The procedural benchmark; None for a data set on disk."""
        procedural = self.dataset == "procedural"
        return BENCHMARKS[self.size] if procedural else None

    def study(self, tuning: bool = False) -> Study:
        """Where its runs lie, and their configs.

        Raises:
            UserError: without a data_dir, where one is needed, or for a
                study that was begun with other minutes.
        """
        study = self._study(tuning)
        if not self.minutes or tuning:
            return study
        steps = read_budget(study.folder, self.minutes)
        return dataclasses.replace(study, budget=steps)

    def _study(self, tuning: bool) -> Study:
        if self.benchmark is not None:
            return benchmark_study(
                self.benchmark, self.studies_dir, self.common or {}, tuning
            )
        if not self.data_dir and self.trained:
            raise UserError(
                f"--data_dir is missing: name the folder of {self.dataset}"
            )
        return data_study(
            self.dataset,
            Path(self.data_dir),
            self.studies_dir,
            self.common or {},
        )

    @property
    def chosen_seeds(self) -> tuple[int, ...]:
        """Those given, or the benchmark's."""
        own = self.benchmark.seeds if self.benchmark else (0,)
        return self.seeds or own

    def command(self) -> str:
        """What makes the same figures anywhere: no folder, no pace."""
        flags = [f"--table={','.join(map(str, self.tables))}"]
        flags += [f"--dataset={self.dataset}"]
        if self.benchmark is not None:
            flags += [f"--size={self.size}"]
        if self.dataset != "procedural":
            flags += [f"--data_dir={self.dataset.upper()}"]
        if self.seeds:
            flags += [f"--seeds={','.join(map(str, self.seeds))}"]
        flags += [f"--{k}={v}" for k, v in (self.common or {}).items()]
        if self.minutes:
            flags += [f"--minutes={self.minutes:g}"]
        asked = (("search", self.search), ("controls", self.controls))
        flags += [f"--{name}" for name, given in asked if given]
        return " ".join(["python -m experiments.tables", *flags])

    @property
    def trained(self) -> tuple[Row, ...]:
        """Rows of all tables but the third, whose models are only counted."""
        return rows_of(tuple(t for t in self.tables if t != 3))

    def titled(self, number: int) -> list[tuple[str, Row]]:
        """Title and row of a table; Table 3's models are the published ones."""
        if number == 3:
            return list(ROWS[3])
        return [
            (honest_title(row, title, self.dataset), row)
            for title, row in ROWS[number]
        ]

    def title(self, row: Row) -> str:
        """A row's title where it stands apart: Table 2's, if it is there."""
        numbers = (1, 4, 2)
        listed = [pair for number in numbers for pair in self.titled(number)]
        return {row.key: title for title, row in listed}[row.key]

    @property
    def controls_listed(self) -> list[tuple[str, Row]]:
        """(title, row) of the controls; none unless they are asked for."""
        if not self.controls or self.benchmark is None:
            return []
        return control_rows(self.benchmark, self.study().settings)

    @property
    def rows(self) -> list[Row]:
        """All that is trained."""
        return [*self.trained, *(row for _, row in self.controls_listed)]
