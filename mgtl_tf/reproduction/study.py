"""A study: where its runs lie, and the config of each.

STUDIES/NAME/runs/ROW-seedN, worlds/, prepared/, tables/.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgtl_tf.config import DataConfig, RunConfig
from mgtl_tf.config.model import config_class
from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.presets import PRESETS, load_preset
from mgtl_tf.presets.systems import system_settings
from mgtl_tf.reproduction.benchmark import Benchmark, Condition, Settings
from mgtl_tf.reproduction.paper import AREAS, DATASETS
from mgtl_tf.reproduction.rows import ROWS, Row
from mgtl_tf.reproduction.runs import Run


@dataclass(frozen=True)
class Study:
    """All runs of one benchmark, or of one data set on disk.

    Args:
        folder: of the study.
        preset: settings to begin from: procedural, cvusa, cvact, vigor.
        common: config fields of every row, over the preset.
        data_dir: the pairs to train and measure on.
        prepared: folder of their decoded forms, shared by all runs; those of
            another image size than the study's lie beside it.
        benchmark: its numbers; None for a data set on disk.
    """

    folder: Path
    preset: str
    common: Mapping[str, Any]
    data_dir: Path
    prepared: Path
    benchmark: Benchmark | None = None

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of every row, unless others are asked for."""
        return self.benchmark.seeds if self.benchmark else (0,)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Under which finished runs are measured again."""
        return self.benchmark.conditions if self.benchmark else ()

    @property
    def labelled(self) -> tuple[str, ...]:
        """The views whose images have label maps: CVUSA's panoramas."""
        if self.benchmark:
            return VIEWS if self.benchmark.world.labels else ()
        return VIEWS[:1] if self.preset == "cvusa" else ()

    @property
    def data(self) -> DataConfig:
        """The data's settings, which are those of every row."""
        return load_preset(self.preset, **self.common).data

    @property
    def measured_on(self) -> str:
        """What its figures are of; of VIGOR with area and label set."""
        if self.benchmark:
            return f"{self.folder.name}, a synthetic world"
        if self.preset == "vigor":
            area = AREAS[self.data.vigor_protocol]
            return f"{area}, {self.data.vigor_labels} labels"
        return DATASETS[self.preset]

    @property
    def _settings(self) -> Mapping[str, Mapping[str, Any]]:
        return self.benchmark.settings if self.benchmark else {}

    def on_world(self, name: str) -> Study:
        """The same runs with the pairs of another world of the study."""
        return dataclasses.replace(
            self,
            data_dir=self.folder / "worlds" / name,
            prepared=self.folder / "prepared" / name,
        )

    def config(self, row: Row, seed: int) -> RunConfig:
        """The config of a row: preset, common, system, row, settings."""
        system = row.changes.get("system", "mgtl")
        stage = row.changes.get(config_class(system).stage_setting, "")
        settings = {
            **PRESETS[self.preset],
            **self.common,
            **system_settings(self.preset, system, stage),
            **row.changes,
            **self._settings.get(row.key, {}),
        }
        config = RunConfig.of(**settings)
        common = load_preset(self.preset, **self.common)
        form, prepared = config.model.input_form, self.prepared
        if form != common.model.input_form:
            name = f"{prepared.name}-{form.name}"
            prepared = prepared.with_name(name)
        paths = {"data_dir": self.data_dir, "data_cache": prepared}
        keeps = config.model.caches_features and not config.data.image_changes
        if config.train.freeze_blocks and keeps:
            paths["feature_cache"] = self.folder / "features"
        if of := config.train.init_backbone:
            paths["init_backbone"] = self._run_folder(of, seed)
        texts = {name: str(path) for name, path in paths.items()}
        return config.replace(seed=seed, **texts)

    def _run_folder(self, key: str, seed: int) -> Path:
        return self.folder / "runs" / f"{key}-seed{seed}"

    def runs(self, rows: Iterable[Row], seeds: Sequence[int]) -> list[Run]:
        """All runs, the first seed of every row before the second.

        Of the seeds a row takes no more than its benchmark says.
        """
        most = self.benchmark.most_seeds if self.benchmark else {}
        listed = list(rows)
        return [
            Run(self._run_folder(row.key, seed), self.config(row, seed))
            for number, seed in enumerate(seeds)
            for row in listed
            if number < most.get(row.key, len(seeds))
        ]

    def start_of(self, run: Run) -> Run | None:
        """The run that a later stage or a warm row starts from, if any."""
        start = run.config.train.init_backbone
        if not start:
            return None
        folder, seed = Path(start), run.config.train.seed
        rows = {row.key: row for table in ROWS.values() for _, row in table}
        row = rows[folder.name.removesuffix(f"-seed{seed}")]
        return Run(folder, self.config(row, seed))

    def control_rows(self) -> list[tuple[str, Row]]:
        """(title, row) of the controls, each with its original's settings."""
        return self._derived(self.benchmark.controls if self.benchmark else {})

    def warm_rows(self) -> list[tuple[str, Row]]:
        """(title, row) of Table 2w, each with its original's settings."""
        return self._derived(self.benchmark.warm if self.benchmark else {})

    def _derived(
        self, named: Mapping[str, tuple[str, str, Settings]]
    ) -> list[tuple[str, Row]]:
        rows = {row.key: row for table in ROWS.values() for _, row in table}
        found = []
        for key, (title, of, changes) in named.items():
            inherited = {**rows[of].changes, **self._settings.get(of, {})}
            found.append((title, Row(key, {**inherited, **changes})))
        return found

    def search_runs(self, row: Row) -> list[tuple[float, Run]]:
        """The benchmark's learning rates, each with the run that tries it."""
        search = self.benchmark.search if self.benchmark else None
        # A run that starts from another of the study has none to start from.
        if search is None or "init_backbone" in row.changes:
            return []
        elsewhere = self.on_world("search")
        settings = {"max_steps": search.max_steps}
        found = []
        for rate in search.rates:
            config = elsewhere.config(row, 0)
            config = config.replace(learning_rate=rate, **settings)
            folder = self.folder / "search" / f"{row.key}-{rate:g}"
            found.append((rate, Run(folder, config)))
        return found


def benchmark_study(
    benchmark: Benchmark, studies_dir: Path, common: Mapping[str, Any]
) -> Study:
    """The study of a procedural benchmark; `common` goes over its own."""
    folder = studies_dir / benchmark.name
    fields = {**benchmark.common, **common}
    study = Study(folder, "procedural", fields, folder, folder, benchmark)
    return study.on_world("final")


def data_study(
    dataset: str, data_dir: Path, studies_dir: Path, common: Mapping[str, Any]
) -> Study:
    """The study of a data set on disk; `common` goes over its preset.

    VIGOR's areas and label sets have a folder each.
    """
    options = load_preset(dataset, **common).data.reader_options
    folder = studies_dir / "-".join([dataset, *options.values()])
    return Study(folder, dataset, common, data_dir, folder / "prepared")
