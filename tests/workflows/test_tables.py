"""A tiny benchmark through plan, search, training, tables and publication."""

import dataclasses
import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.reproduction import step_time
from mgtl_tf.reproduction.benchmark import BENCHMARKS, SMALL
from mgtl_tf.reproduction.layout import table_grid
from mgtl_tf.reproduction.study_json import from_json
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows import harder_gallery, study_runs, tables, tables_plan
from mgtl_tf.workflows.tables_job import TablesJob

_SPEC = importlib.util.spec_from_file_location(
    "fake_trainer", Path(__file__).parents[1] / "tables/fake_trainer.py"
)
FAKE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(FAKE)

RATES = ({"learning_rate": 0.001}, {"learning_rate": 0.003})
TINY = dataclasses.replace(
    SMALL,
    name="procedural-tiny",
    world=WorldSettings(seed=1, train_pairs=6, val_pairs=4),
    tuning_world=WorldSettings(seed=2, train_pairs=6, val_pairs=4),
    harder_world=WorldSettings(seed=3, train_pairs=0, val_pairs=8),
    common={
        **SMALL.common,
        "image_size": (8, 16),
        "width_multiplier": 1 / 64,
        "poolings": 1,
        "channels": 4,
        "heads": 2,
        "batch_size": 3,
        "max_steps": 2,
        "log_every": 1,
    },
    search_steps=1,
    trials={"": RATES},
    controls={
        "long_vgg": ("VGG16 only, longer", "vgg", {"max_steps": 3}),
    },
    settings={},
    seeds=(0, 1),
)


def _draw(settings, root, processes=1, progress=True):
    """In place of a world: pictures of noise, in its layout."""
    if root.exists():
        return
    random = np.random.default_rng(settings.seed)
    counts = settings.train_pairs, settings.val_pairs
    for split, count in zip(("train", "val"), counts, strict=True):
        rows = []
        for number in range(count):
            row = [f"{view}/{split}{number}.png" for view in "as"]
            for path, shape in zip(row, ((16, 16), (8, 16)), strict=True):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                pixels = random.integers(0, 256, (*shape, 3), np.uint8)
                cv2.imwrite(str(root / path), pixels)
            rows.append(",".join(row))
        (root / "splits").mkdir(parents=True, exist_ok=True)
        (root / f"splits/{split}-19zl.csv").write_text("\n".join(rows))


@pytest.fixture
def trained(monkeypatch):
    """Names of runs; nothing is trained: files of finished runs are written.

    That a system is trained by its own command, test_every_system.py and
    test_study.py show.
    """
    monkeypatch.setitem(BENCHMARKS, "small", TINY)
    monkeypatch.setattr(study_runs, "make_world", _draw)
    names = []

    def run_all(runs, devices, done):
        for run in runs:
            names.append(run.name)
            run.folder.mkdir(parents=True, exist_ok=True)
            (run.folder / "config.json").write_text(run.config.to_json())
            FAKE.finish(run.folder, dataclasses.asdict(run.config))
            done(run, 0, 1.0)
        return []

    monkeypatch.setattr(study_runs, "run_all", run_all)
    monkeypatch.setattr(harder_gallery, "run_all", _measure)
    return names


def _measure(runs, devices, done, launch):
    """In place of experiments.evaluate: one place in four is found."""
    for run in runs:
        assert Path(run.config.data.data_cache).is_dir()
        assert run.config.data.data_dir.endswith("worlds/harder")
        recalls = dict.fromkeys(("r@1", "r@5", "r@10", "r@1%"), 0.25)
        found = {"ground_to_satellite": recalls, "gallery_size": 8}
        trained = run.folder.parents[1] / "runs" / run.name
        path = trained / "evaluation-procedural-validation-harder.json"
        path.write_text(json.dumps(found))
        done(run, 0, 1.0)
    return []


def _job(folder, *numbers, **fields):
    given = {"measure_cost": False, **fields}
    return TablesJob(
        numbers, "procedural", "small", "", folder / "studies", **given
    )


def test_from_a_dry_run_to_the_published_page(tmp_path, trained, monkeypatch):
    monkeypatch.setattr(tables_plan, "seconds_a_step", lambda *_: 30.0)
    job = _job(tmp_path, 2, seeds=(0,), search=True, controls=True)
    lines = tables_plan.plan(job)
    assert lines[0] == "search:" and "vgg-lr0.001-zeros: 1 steps" in lines[1]
    assert lines[-6:-1] == [
        "then:",
        "vgg-seed0: 2 steps, about 60 s",
        "without_cmi-seed0: 2 steps, about 60 s",
        "with_cmi-seed0: 2 steps, about 60 s",
        "long_vgg-seed0: 3 steps, about 90 s",
    ]
    assert not (tmp_path / "studies").exists() and not trained

    tables.run_tables(job)
    assert len(trained) == 6 + 4
    settings = json.loads(
        (tmp_path / "studies/procedural-tiny/settings.json").read_text()
    )
    assert settings["chosen"]["vgg"] in RATES
    shown = tables.show_tables(job)
    headings = ["Table 2", "Controls", "Harder gallery"]
    assert [table.heading for table in shown] == headings
    harder = table_grid(shown[2])
    assert harder.heads == ["row", "r@1", "r@5", "r@10", "r@1%"]
    assert harder.rows[2] == ["w/ CMI", *["25.00"] * 4]
    assert "gallery of 8 places" in harder.title
    page = tables.publish_tables(job, shown, tmp_path / "docs")
    tables.run_tables(job)
    assert len(trained) == 10

    text = page.read_text()
    assert "w/o CMI" in text and "VGG16 only, longer" in text
    assert "--table=2 --dataset=procedural --size=small --seeds=0" in text
    published = (tmp_path / "docs/results/procedural-tiny.json").read_text()
    assert str(tmp_path) not in text + published
    # Each table keeps its own gallery's figures, though rows are in several.
    again = [table_grid(table) for table in from_json(published).tables]
    assert again == [table_grid(table) for table in shown]
    found = dict(zip(headings, again, strict=True))
    assert found["Table 2"].rows[2][1] == "41.50"  # 83 of 200 ranks are 1
    assert found["Harder gallery"].rows[2][1] == "25.00"
    folder = tmp_path / "studies/procedural-tiny/tables"
    for suffix in ("txt", "md", "csv", "svg"):
        assert (folder / f"table2.{suffix}").stat().st_size > 100
    assert tables_plan.plan(job)[-2] == "long_vgg-seed0: finished"
    small = tables_plan.plan(_job(tmp_path, 2, seeds=(0,)))
    assert small[:3] == [
        f"{key}-seed0: finished" for key in ("vgg", "without_cmi", "with_cmi")
    ]


def test_table_3_trains_nothing_and_needs_no_data(tmp_path, trained):
    job = TablesJob(
        (3,), "cvusa", "small", "", tmp_path / "studies", measure_cost=False
    )
    assert tables_plan.plan(job) == ["nothing to train"]
    tables.run_tables(job)
    shown = tables.show_tables(job)
    assert table_grid(shown[0]).rows[0][0].startswith("L2LTR")
    assert not trained
    with pytest.raises(UserError, match="--data_dir is missing"):
        tables.run_tables(dataclasses.replace(job, tables=(2,)))
    with pytest.raises(UserError, match="--search: only the procedural"):
        tables.run_tables(dataclasses.replace(job, search=True))


def test_l2ltr_is_named_for_what_it_is(tmp_path, trained):
    titles = [line[0] for line in _shown(_job(tmp_path, 1))]
    assert "L2LTR-style (K from previous layer), small" in titles
    assert "SAFA-8, small" in titles
    job = TablesJob((1,), "cvusa", "small", "CVUSA", tmp_path / "studies")
    assert "L2LTR, from scratch" in [line[0] for line in _shown(job)]


def _shown(job):
    return table_grid(tables.show_tables(job)[0]).rows


def test_a_step_is_timed_without_data():
    config = TINY.base().replace(recurrent_steps=0, dtype_policy="float32")
    config = config.replace(backbone_normalization="none")
    assert 0 < step_time._measure(config) < 60


def test_minutes_become_steps_once(tmp_path, trained, monkeypatch):
    """VGG takes 2 s a step, the others 3 s: in a minute 30 and 20 steps."""
    asked = []

    def seconds(run, place):
        asked.append(run.key)
        return 2.0 if run.key == "vgg" else 3.0

    monkeypatch.setattr(tables_plan, "seconds_a_step", seconds)
    monkeypatch.setattr(tables, "seconds_a_step", seconds)
    job = _job(tmp_path, 2, seeds=(0,), minutes=1.0)
    assert tables_plan.plan(job)[:3] == [
        "vgg-seed0: 30 steps, about 60 s",
        "without_cmi-seed0: 20 steps, about 60 s",
        "with_cmi-seed0: 20 steps, about 60 s",
    ]
    assert not (tmp_path / "studies").exists()
    tables.run_tables(job)
    asked.clear()
    tables.run_tables(job)
    assert not asked and len(trained) == 3
    runs = tmp_path / "studies/procedural-tiny/runs"
    config = RunConfig.load(runs / "without_cmi-seed0")
    assert config.train.max_steps == 20
    assert "--minutes=1" in job.command()
    with pytest.raises(UserError, match="begun with 1; give another"):
        _job(tmp_path, 2, minutes=2.0).study()
    (runs.parent / "minutes.json").write_text("{")
    with pytest.raises(UserError, match="minutes.json: damaged"):
        job.study()
