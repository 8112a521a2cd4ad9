"""metrics.jsonl, the meter, stop signals, the choice of precision."""

import os
import signal

import pytest

from mgtl_tf.training import environment
from mgtl_tf.training.logs import MetricsLog
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.training.meter import Meter
from mgtl_tf.training.save_signal import SaveSignal
from mgtl_tf.training.stops import StopSignals


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
    ],
)
def test_auto_precision_follows_the_processor(
    tmp_path, monkeypatch, flags, expected
):
    path = tmp_path / "cpuinfo"
    path.write_text(f"flags : {flags}\n")
    monkeypatch.setattr(environment, "Path", lambda _: path)
    monkeypatch.setattr(
        environment.tf.config, "list_physical_devices", lambda _: []
    )
    assert environment.resolve_dtype_policy("auto") == expected
    assert environment.resolve_dtype_policy("float32") == "float32"
