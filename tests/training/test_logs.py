"""metrics.jsonl, the meter, stop signals, the choice of precision."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.training import environment
from mgtl_tf.training.logs import MetricsLog, bar_figures, read_metrics
from mgtl_tf.training.meter import Meter, duration_text
from mgtl_tf.training.signals import SaveSignal, StopSignals


def test_records_come_back_in_order(tmp_path):
    log = MetricsLog(tmp_path)
    log.write("train", 10, {"loss": 0.5})
    log.write("evaluation", 10, {"ground_to_satellite": {"r@1": 1.0}})
    log.close()
    assert read_metrics(tmp_path) == [
        {"kind": "train", "step": 10, "loss": 0.5},
        {
            "kind": "evaluation",
            "step": 10,
            "ground_to_satellite": {"r@1": 1.0},
        },
    ]
    assert any((tmp_path / "tensorboard").iterdir())


def test_resuming_drops_lines_of_steps_to_come(tmp_path):
    log = MetricsLog(tmp_path)
    for step in (10, 20, 30):
        log.write("train", step, {"loss": 1.0})
    log.close()
    MetricsLog(tmp_path, step=20).close()
    assert [r["step"] for r in read_metrics(tmp_path)] == [10, 20]


def test_resuming_before_an_evaluation_drops_its_line(tmp_path):
    """A checkpoint of step 20 from before step 20 was evaluated."""
    log = MetricsLog(tmp_path)
    for step in (10, 20):
        log.write("train", step, {"loss": 1.0})
        log.write("evaluation", step, {"seconds": 1.0})
    log.close()
    MetricsLog(tmp_path, step=20, evaluated=10).close()
    kinds = [(r["kind"], r["step"]) for r in read_metrics(tmp_path)]
    assert kinds == [("train", 10), ("evaluation", 10), ("train", 20)]


def test_a_line_cut_by_a_kill_is_left_out(tmp_path):
    MetricsLog(tmp_path).write("train", 1, {"loss": 1.0})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')
    assert [r["step"] for r in read_metrics(tmp_path)] == [1]
    assert read_metrics(tmp_path / "nothing") == []


def test_meter_means_and_rates():
    meter = Meter(batch_size=8)
    for loss in meter.watch([1.0, 2.0, 6.0]):
        meter.add({"loss": loss})
    means, seconds = meter.flush()
    assert means["loss"] == 3.0
    assert means["pairs_per_second"] == pytest.approx(3 * 8 / seconds)
    assert 0 <= means["input_wait"] <= 1


def test_meter_tells_of_all_steps(monkeypatch):
    """Two lines of two and one steps of 3 s; the second waits 1.5 s more."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    meter = Meter(batch_size=8)

    def batches():
        for wait in (0.0, 0.0, 1.5):
            now[0] += wait
            yield wait

    for number, _ in enumerate(meter.watch(batches())):
        now[0] += 3.0
        meter.add({"loss": 1.0})
        if number:
            meter.flush()
    assert meter.seconds_per_step == pytest.approx(3.5)
    assert meter.input_wait == pytest.approx(1.5 / 10.5)


def test_the_bar_shows_the_loss_there_is_and_the_wait():
    values = {"loss": 1.0, "generative_loss": 0.5, "pairs_per_second": 9.0}
    values |= {"input_wait": 0.0123, "learning_rate": 1.0}
    for name in ("triplet", "info_nce"):
        shown = bar_figures({**values, f"{name}_loss": 0.75})
        assert shown[name] == "0.7500"
        assert shown["input_wait"] == "1.2%"
        assert len(shown) == 5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (150, "2 min"), (9000, "2.5 h")],
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


def test_pictures_reach_tensorboard_as_they_are(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 6, 9, 3), "u1")
    log = MetricsLog(tmp_path)
    log.write_pictures("retrieval", 30, pictures)
    log.close()
    assert read_metrics(tmp_path) == []
    (path,) = (tmp_path / "tensorboard").iterdir()
    found = [
        (event.step, [tf.io.decode_png(x) for x in value.tensor.string_val[2:]])
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "retrieval"
    ]
    assert [step for step, _ in found] == [30]
    np.testing.assert_array_equal(found[0][1], pictures)


def _written(run_dir: Path) -> None:
    log = MetricsLog(run_dir)
    for step in (10, 20):
        log.write("train", step, {"epoch": 0, "loss": 1.0 / step})
        log.write("evaluation", step, {"epoch": 1, "best": 0.1 * step})
    log.close()


def test_pandas_reads_the_metrics(tmp_path):
    pandas = pytest.importorskip("pandas")
    _written(tmp_path)
    frame = pandas.read_json(tmp_path / "metrics.jsonl", lines=True)
    training = frame[frame.kind == "train"]
    assert training.step.tolist() == [10, 20]
    assert training.loss.tolist() == [0.1, 0.05]
    assert frame[frame.kind == "evaluation"].best.tolist() == [1.0, 2.0]


def test_every_line_is_strict_json(tmp_path):
    """As a reader in another language needs it: no NaN, one object a line."""
    _written(tmp_path)

    def refuse(name):
        raise AssertionError(name)

    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    found = [json.loads(x, parse_constant=refuse) for x in lines]
    assert [r["step"] for r in found] == [10, 10, 20, 20]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_asks_and_handlers_come_back(number):
    before = signal.getsignal(number)
    with StopSignals() as signals:
        assert not signals.requested()
        os.kill(os.getpid(), number)
        assert signals.requested()
        assert signal.getsignal(number) == before  # a second one acts
    assert signal.getsignal(number) == before


def test_a_signal_asks_for_one_checkpoint_and_does_not_kill():
    before = signal.getsignal(signal.SIGUSR1)
    with SaveSignal() as saves:
        assert not saves.taken()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert saves.taken()
        assert not saves.taken()
    assert signal.getsignal(signal.SIGUSR1) == before


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu avx2", "float32"),
        ("avx2 avx512_bf16", "mixed_bfloat16"),
        ("amx_bf16", "mixed_bfloat16"),
        ("amx_bf16 ONEDNN_MAX_CPU_ISA=AVX2", "float32"),
        ("amx_bf16 ONEDNN_MAX_CPU_ISA=avx512_core_bf16", "mixed_bfloat16"),
    ],
)
def test_auto_precision_follows_the_processor(
    tmp_path, monkeypatch, flags, expected
):
    flags, _, taken_to = flags.partition(" ONEDNN_MAX_CPU_ISA=")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", taken_to)
    path = tmp_path / "cpuinfo"
    path.write_text(f"flags : {flags}\n")
    monkeypatch.setattr(environment, "Path", lambda _: path)
    monkeypatch.setattr(
        environment.tf.config, "list_physical_devices", lambda _: []
    )
    assert environment.resolve_dtype_policy("auto") == expected
    assert environment.resolve_dtype_policy("float32") == "float32"
