"""A study: where its runs lie, and the config of each.

STUDIES/NAME/runs/ROW-seedN, search/ROW-SETTINGS, worlds/, prepared/.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mgtl_tf.config import RunConfig
from mgtl_tf.presets import load_preset
from mgtl_tf.presets.systems import system_settings
from mgtl_tf.reproduction.benchmark import Benchmark
from mgtl_tf.reproduction.rows import ROWS, Row
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.utils.json_files import read_json

SETTINGS_JSON = "settings.json"
_NAMED = {"learning_rate", "residual_init"}


@dataclass(frozen=True)
class Study:
    """All runs of one benchmark, or of one data set on disk.

    Args:
        folder: of the study.
        preset: settings to begin from: procedural, cvusa, cvact.
        common: config fields of every row, over the preset.
        data_dir: the pairs to train and measure on.
        prepared: folder of their decoded forms, made once for all runs;
            those of another image size than the study's lie beside it.
        settings: row key to further fields, chosen by a search.
        budget: row key to steps, where the budget is in minutes.
    """

    folder: Path
    preset: str
    common: Mapping[str, Any]
    data_dir: Path
    prepared: Path
    settings: Mapping[str, Mapping[str, Any]]
    budget: Mapping[str, int] = field(default_factory=dict)

    def config(self, row: Row, seed: int, **changes: Any) -> RunConfig:
        """The config of a row: preset, system, common, row, settings."""
        system = row.changes.get("system", "mgtl")
        steps = self.budget.get(row.key)
        config = (
            load_preset(self.preset)
            .replace(**self.common)
            .replace(**system_settings(self.preset, system))
            .replace(**row.changes)
            .replace(**self.settings.get(row.key, {}))
            .replace(**({} if steps is None else {"max_steps": steps}))
            .replace(seed=seed)
            .replace(**changes)
        )
        cache = self._cache(config.model.image_size)
        return config.replace(data_dir=str(self.data_dir), data_cache=cache)

    def _cache(self, size: tuple[int, int]) -> str:
        """One folder of decoded pairs for every image size there is."""
        common = load_preset(self.preset).replace(**self.common)
        if size == common.model.image_size:
            return str(self.prepared)
        height, width = size
        name = f"{self.prepared.name}-{height}x{width}"
        return str(self.prepared.with_name(name))

    def run(self, row: Row, seed: int) -> Run:
        """A row's run of a seed."""
        folder = self.folder / "runs" / f"{row.key}-seed{seed}"
        return Run(row.key, folder, self.config(row, seed))

    def runs(self, rows: Iterable[Row], seeds: Sequence[int]) -> list[Run]:
        """All runs, the first seed of every row before the second."""
        listed = list(rows)
        return [self.run(row, seed) for seed in seeds for row in listed]

    def trials(
        self, row: Row, tried: Sequence[Mapping[str, Any]], steps: int
    ) -> list[Run]:
        """The runs of a search over a row's settings, all with seed 0.

        A trial's learning rate rises for as many steps as that of the run
        it stands for: within fewer, rows of many steps collapse at rates
        at which they train best.
        """
        found = []
        for settings in tried:
            config = _shortened(self.config(row, 0, **settings), steps)
            name = (
                f"{row.key}-lr{config.train.learning_rate:g}"
                f"-{config.model.residual_init}"
            )
            for other in sorted({*settings} - _NAMED):
                name += f"-{other}{settings[other]}"
            found.append(Run(row.key, self.folder / "search" / name, config))
        return found


def _shortened(config: RunConfig, steps: int) -> RunConfig:
    """The same with fewer steps, as many of them, or half, of rising rate."""
    whole = config.train.max_steps or steps
    rising = min(config.train.warmup * whole / steps, 0.5)
    return config.replace(max_steps=steps, warmup=rising)


def benchmark_study(
    benchmark: Benchmark,
    studies_dir: Path,
    common: Mapping[str, Any],
    tuning: bool = False,
) -> Study:
    """The study of a procedural benchmark.

    Args:
        benchmark: its numbers.
        studies_dir: holds a folder for every study.
        common: fields over the benchmark's own.
        tuning: whether its pairs are those of the tuning world, for the
            search.

    Raises:
        UserError: for a settings file that cannot be read.
    """
    folder = studies_dir / benchmark.name
    world = "tuning" if tuning else "final"
    chosen = {} if tuning else read_settings(folder)
    return Study(
        folder=folder,
        preset="procedural",
        common={**benchmark.common, **common},
        data_dir=folder / "worlds" / world,
        prepared=folder / "prepared" / world,
        settings={**benchmark.settings, **chosen} if not tuning else {},
    )


def data_study(
    dataset: str, data_dir: Path, studies_dir: Path, common: Mapping[str, Any]
) -> Study:
    """The study of a data set on disk, with the paper's settings.

    Args:
        dataset: cvusa or cvact.
        data_dir: the download.
        studies_dir: holds a folder for every study.
        common: fields of every row, over the data set's preset.
    """
    folder = studies_dir / dataset
    prepared = folder / "prepared"
    return Study(folder, dataset, common, data_dir, prepared, {})


def read_settings(folder: Path) -> dict[str, dict[str, Any]]:
    """What an earlier search of this study chose; empty before one.

    Raises:
        UserError: where the file cannot be read.
    """
    return read_search(folder).get("chosen", {})


@dataclass(frozen=True)
class _Search:
    """What settings.json holds."""

    chosen: dict[str, dict[str, Any]]
    steps: int = 0
    trials: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def read_search(folder: Path) -> dict[str, Any]:
    """All that an earlier search tried and chose; empty before one.

    Raises:
        UserError: where the file cannot be read.
    """
    path = folder / SETTINGS_JSON
    if not path.is_file():
        return {}
    found = read_json(path, _Search, "remove it and search again")
    return dataclasses.asdict(found)


def control_rows(
    benchmark: Benchmark, settings: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, Row]]:
    """(title, row) of the controls; each has the settings of its original."""
    rows = {row.key: row for table in ROWS.values() for _, row in table}
    found = []
    for key, (title, original, changes) in benchmark.controls.items():
        inherited = {**rows[original].changes, **settings.get(original, {})}
        found.append((title, Row(key, {**inherited, **changes})))
    return found
