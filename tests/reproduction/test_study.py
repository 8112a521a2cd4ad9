"""Studies of fake trainers: nothing is repeated, other runs are refused."""

import dataclasses
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.presets import load_preset
from mgtl_tf.reproduction import launch
from mgtl_tf.reproduction.benchmarks import BENCHMARKS, SMALL
from mgtl_tf.reproduction.results import run_ranks, run_result
from mgtl_tf.reproduction.rows import ROWS, VGG, WITH_CMI, rows_of
from mgtl_tf.reproduction.study import benchmark_study, data_study
from mgtl_tf.reproduction.versions import Versions, code_version
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows import study_runs
from mgtl_tf.workflows.study_runs import (
    RunsOfWorld,
    finish,
    plan,
    steps_of,
    training_job,
)
from tests.programs import run
from tests.reproduction import fake_trainer

FAKE = Path(fake_trainer.__file__)
VERSIONS = Versions("code1", "data1")
ONE = [{}]
CHOSEN = ("system", "regmi_stage", "transgeo_stage")
START = {"backbone_digest": "d9a27cc1fc7f975e" * 4}


class Trainer:
    """Orders of the fake trainers, and which of them started."""

    def __init__(self, folder):
        self.folder, self.orders = folder, folder / "orders.json"
        self.order()

    def order(self, **runs):
        orders = {f"{row}-seed0": do for row, do in runs.items()}
        self.orders.write_text(json.dumps({"runs": orders}))

    def command(self, config):
        number = len(list(self.folder.glob("config-*")))
        path = self.folder / f"config-{number}.json"
        path.write_text(config.to_json())
        return [sys.executable, str(FAKE), str(path), str(self.orders)]

    @property
    def started(self):
        path = self.folder / "started"
        return path.read_text().split() if path.is_file() else []


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "_POLL_SECONDS", 0.02)
    (tmp_path / "orders").mkdir()
    trainer = Trainer(tmp_path / "orders")
    monkeypatch.setattr(study_runs, "training_command", trainer.command)
    return trainer


@pytest.fixture
def study(tmp_path):
    return benchmark_study(SMALL, tmp_path / "studies", {})


def table_2(study, seeds=(0,)):
    return study.runs(rows_of((2,)), seeds)


def run_of(study, row):
    return study.runs([row], [0])[0]


def test_a_finished_study_has_nothing_left_to_do(study, trainer):
    runs = table_2(study)
    finish(runs, VERSIONS, [{}, {}])
    assert sorted(trainer.started) == sorted(run.name for run in runs)
    finish(runs, VERSIONS, ONE)
    assert len(trainer.started) == 3
    # Data elsewhere are the same data; more seeds are new runs.
    moved = dataclasses.replace(study, data_dir=Path("elsewhere"))
    finish(table_2(moved, (0, 1))[:4], VERSIONS, ONE)
    assert trainer.started[3:] == ["vgg-seed1"]


def test_rows_with_fewer_seeds(study):
    few = dataclasses.replace(SMALL, most_seeds={"vgg": 1})
    few = dataclasses.replace(study, benchmark=few)
    names = [run.name for run in table_2(few, (4, 5))]
    assert names[:3] == ["vgg-seed4", "without_cmi-seed4", "with_cmi-seed4"]
    assert names[3:] == ["without_cmi-seed5", "with_cmi-seed5"]


def test_the_study_is_killed_and_started_again(study, trainer, monkeypatch):
    """SIGTERM during the second run: it is stopped; the first stays."""
    runs = table_2(study)
    trainer.order(without_cmi="wait")
    waits = runs[1].folder / "waits"
    slept = time.sleep

    def sleep(seconds):
        slept(seconds)
        if waits.exists():
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(launch.time, "sleep", sleep)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        finish(runs, VERSIONS, ONE)
    assert signal.getsignal(signal.SIGTERM) == before
    assert trainer.started == ["vgg-seed0", "without_cmi-seed0"]
    monkeypatch.setattr(launch.time, "sleep", slept)
    trainer.order()
    finish(runs, VERSIONS, ONE)  # its trainer was waited for: none holds it
    assert trainer.started[2:] == ["without_cmi-seed0", "with_cmi-seed0"]


def test_a_trainer_that_outlived_its_study_is_noticed(study, trainer):
    run = run_of(study, VGG)
    trainer.order(vgg="wait")
    run.sign(VERSIONS)
    orphan = training_job(run).start({})
    try:
        while not (run.folder / "waits").exists():
            time.sleep(0.01)
        with pytest.raises(UserError, match="vgg-seed0: another process is"):
            finish([run], VERSIONS, ONE)
    finally:
        orphan.kill()
        orphan.wait()
    trainer.order()
    finish([run], VERSIONS, ONE)
    assert trainer.started[-1] == "vgg-seed0"


def test_failures_are_named_and_cost_no_other_run(study, trainer):
    """And a study that stopped before a run's turn does not sign for it."""
    vgg, _, with_cmi = runs = table_2(study)
    with_cmi.folder.mkdir(parents=True)
    (with_cmi.folder / "study.json").write_text(
        json.dumps({"code": "code0", "data": "data1"})
    )
    trainer.order(vgg="fail")
    with pytest.raises(UserError) as error:
        finish(runs, VERSIONS, ONE)
    message = str(error.value)
    assert "1 of the runs failed, the first vgg-seed0: out of luck" in message
    assert f"{vgg.folder}.log" in message
    assert len(trainer.started) == 3
    assert with_cmi.is_finished(VERSIONS)
    # The failed one has begun, with code1: other code does not go on.
    with pytest.raises(UserError, match="another version of the code"):
        finish([vgg], Versions("code2", "data1"), ONE)
    trainer.order()
    finish(runs, VERSIONS, ONE)
    assert trainer.started[3:] == ["vgg-seed0"]


@pytest.fixture
def finished(study, trainer):
    """The run of VGG, as its trainer writes it."""
    run = run_of(study, VGG)
    run.sign(VERSIONS)
    config = json.loads(run.config.to_json())
    fake_trainer.write(run.folder, {**config, "start": START})
    return run


def test_other_runs_are_refused_by_name(finished):
    other = finished.config.replace(gamma=5.0)
    for asked, versions, message in (
        (
            dataclasses.replace(finished, config=other),
            VERSIONS,
            "another config .gamma: 10.0 -> 5.0",
        ),
        (finished, Versions("code1", "data2"), "other data"),
        (finished, Versions("code2", "data1"), "another version of the code"),
    ):
        with pytest.raises(UserError, match=message) as error:
            asked.is_finished(versions)
        assert "vgg-seed0" in str(error.value)
    assert finished.is_finished(Versions("code2", "data1"), any_code=True)
    with pytest.raises(UserError, match="other data"):
        finished.is_finished(Versions("code2", "data2"), any_code=True)
    (finished.folder / "study.json").write_text("{")
    with pytest.raises(UserError, match="study.json: damaged"):
        finished.is_finished(VERSIONS)


def test_figures_of_a_run_are_of_its_ranks(finished):
    result = run_result(finished, run_ranks(finished))
    # 20 hits of 200 queries, and 8 by the row's rate of 0.008.
    assert result.recalls["r@1"] == pytest.approx(28 / 200)
    assert result.recalls["r@10"] == 1 and result.places == 200
    assert result.gallery == "0" * 16
    assert result.backbone_digest == START["backbone_digest"]
    (finished.folder / "report/ranks.npz").write_bytes(b"short")
    with pytest.raises(UserError, match="ranks.npz: damaged"):
        run_ranks(finished)


def test_dry_run_lists_what_is_left(study, finished, trainer, monkeypatch):
    monkeypatch.setattr(study_runs, "_versions_there", lambda _: (VERSIONS, 99))
    assert plan([RunsOfWorld(study, table_2(study), None)]) == [
        "vgg-seed0: finished",
        "without_cmi-seed0: 800 steps",
        "with_cmi-seed0: 800 steps",
        "1,600 steps to train in all",
    ]
    by_epochs = data_study("cvusa", Path("CVUSA"), Path("studies"), {})
    config = by_epochs.config(WITH_CMI, 0).train
    assert steps_of(config, 35_532) == 150 * 2220
    assert not trainer.started


def test_configs_of_rows(study, tmp_path):
    rows = {row.key: row for table in ROWS.values() for _, row in table}
    configs = [study.config(row, 0).to_json() for row in rows.values()]
    assert len(set(configs)) == len(rows)
    for title, row in study.control_rows():
        assert title and study.config(row, 0).to_json() not in configs
    assert RunConfig.from_json(configs[0]).to_json() == configs[0]
    # Images of another size are decoded apart.
    cvusa = data_study("cvusa", Path("CVUSA"), tmp_path, {})
    caches = {
        row.key: cvusa.config(row, 0).data.data_cache for row in rows_of((1,))
    }
    assert caches["safa"] == caches["with_cmi"] == str(cvusa.prepared)
    assert caches["l2ltr"] == f"{cvusa.prepared}-128x512"
    # Features are kept of frozen blocks, unless images change every epoch.
    features = {
        row.key: cvusa.config(row, 0).data.feature_cache
        for row in rows_of((1,))
    }
    assert {key for key, folder in features.items() if folder} == {"cvft"}


def test_stages_are_trained_one_after_another(tmp_path, monkeypatch):
    study = benchmark_study(BENCHMARKS["v2"], tmp_path, {})
    rows = [row for row in rows_of((1,)) if row.key.startswith("regmi")]
    started = []
    monkeypatch.setattr(
        study_runs, "run_all", lambda jobs, _: started.append(jobs)
    )
    finish(study.runs(rows[::-1], (0,)), VERSIONS, ONE)
    assert [[job.name for job in jobs] for jobs in started] == [
        ["regmi_synthesis-seed0", "regmi-seed0"],
        ["regmi_joint-seed0"],
        ["regmi_full-seed0"],
    ]
    # CVUSA has no label maps of aerial images.
    cvusa = data_study("cvusa", Path("CVUSA"), tmp_path, {})
    keys = {row.key for row in rows_of((1,), cvusa.labelled)}
    assert {"regmi", "zhai"} <= keys and "regmi_full" not in keys


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_row_fits_every_benchmark(name, tmp_path):
    study = benchmark_study(BENCHMARKS[name], tmp_path, {})
    for row in rows_of((1, 2, 4), study.labelled):
        assert study.config(row, 0).model.image_size


@pytest.mark.parametrize("dataset", ["procedural", "cvusa", "cvact"])
def test_the_command_gives_back_the_config(dataset):
    """Its flags laid over preset and system, by another reading of them."""
    for row in rows_of((1, 2, 4)):
        if dataset == "procedural":
            study = benchmark_study(BENCHMARKS["v1-full"], Path("s"), {})
        else:
            study = data_study(dataset, Path("d"), Path("s"), {})
        config = study.config(row, 3)
        _, module, program, *flags = launch.training_command(config)
        assert (module, program) == ("-m", "experiments.train")
        given = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
        chosen = {n: given.pop(n) for n in CHOSEN if n in given}
        base = load_preset(given.pop("preset"), **chosen)
        fields = {**vars(base.model), **vars(base.data), **vars(base.train)}
        typed = {k: _as(fields[k], text) for k, text in given.items()}
        assert base.replace(**typed) == config


def _as(like, text):
    if isinstance(like, bool):
        return {"true": True, "false": False}[text]
    if isinstance(like, tuple):
        return tuple(type(like[0])(part) for part in text.split(","))
    return type(like)(text)


def test_devices(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert launch.devices() == [
        {"CUDA_VISIBLE_DEVICES": "2"},
        {"CUDA_VISIBLE_DEVICES": "5"},
    ]
    assert len(launch.devices(1)) == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(launch, "usable_cores", lambda: 8)
    (one, *others) = launch.devices()
    assert len(others) == 3 and one["TF_NUM_INTRAOP_THREADS"] == "2"
    assert len(launch.devices(2)) == 2


def test_a_changed_deciding_file_is_another_version(tmp_path, monkeypatch):
    root = tmp_path / "copy"
    for folder in ("mgtl_tf/serving", "polar"):
        (root / folder).mkdir(parents=True)
    file = root / "polar" / "geometry.py"
    monkeypatch.setattr("mgtl_tf.reproduction.versions._ROOT", root)
    found = []
    for text in ("RADIUS = 3", "RADIUS = 4", "RADIUS = 4"):
        file.write_text(text)
        found.append(code_version.__wrapped__())
        # What follows training decides no figure.
        (root / "mgtl_tf/serving/app.py").write_text("PORT = 1")
    assert found[0] != found[1] == found[2]


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--table=5"], "tables 1 to 4"),
        (["--table=two"], "whole numbers"),
        (["--table=2", "--dataset=cvusa"], "--data_dir is missing"),
    ],
)
def test_wrong_flags(flags, message):
    done = run("experiments.tables", *flags)
    assert done.returncode == 2 and message in done.stderr, done.stderr
