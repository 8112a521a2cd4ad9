"""metrics.jsonl, the meter, signals, the profile, the choice of precision."""

import json
import logging
import os
import signal

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.training import environment
from mgtl_tf.training.logs import MetricsLog, read_metrics
from mgtl_tf.training.meter import Meter, duration_text
from mgtl_tf.training.profile import StepProfile
from mgtl_tf.training.signals import save_signal, stop_signals
from mgtl_tf.utils.errors import UserError
from tests.small_disk import fill


def _written(run_dir):
    log = MetricsLog(run_dir)
    for step in (10, 20):
        log.write("train", step, {"epoch": 0, "loss": 1.0 / step})
        log.write("evaluation", step, {"recall": {"r@1": 0.01 * step}})
    log.close()


def _kinds(run_dir):
    return [(r["kind"], r["step"]) for r in read_metrics(run_dir)]


def test_every_line_is_strict_json_and_comes_back_in_order(tmp_path):
    """As a reader in another language needs it: no NaN, one object a line."""
    _written(tmp_path)

    def refuse(name):
        raise AssertionError(name)

    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    found = [json.loads(x, parse_constant=refuse) for x in lines]
    assert found == read_metrics(tmp_path)
    assert found[0] == {"kind": "train", "step": 10, "epoch": 0, "loss": 0.1}
    assert found[3]["recall"] == {"r@1": 0.2}
    assert any((tmp_path / "tensorboard").iterdir())


def test_resuming_drops_lines_of_steps_to_come(tmp_path):
    """Also of an evaluation that the checkpoint of its step was before."""
    _written(tmp_path)
    both = [("train", 10), ("evaluation", 10), ("train", 20)]
    MetricsLog(tmp_path, step=20, evaluated=10).close()
    assert _kinds(tmp_path) == both
    MetricsLog(tmp_path, step=10).close()
    assert _kinds(tmp_path) == both[:2]
    MetricsLog(tmp_path, writes=False).write("train", 1, {"loss": 1.0})
    assert _kinds(tmp_path) == both[:2]


def test_a_line_cut_by_a_kill_is_left_out(tmp_path):
    _written(tmp_path)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')
    assert len(read_metrics(tmp_path)) == 4
    assert read_metrics(tmp_path / "nothing") == []


def test_pictures_reach_tensorboard_as_they_are(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 6, 9, 3), "u1")
    log = MetricsLog(tmp_path)
    log.write_pictures("retrieval", 30, pictures)
    log.close()
    assert read_metrics(tmp_path) == []
    (path,) = (tmp_path / "tensorboard").iterdir()
    ((step, found),) = [
        (event.step, [tf.io.decode_png(x) for x in value.tensor.string_val[2:]])
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    assert step == 30
    np.testing.assert_array_equal(found, pictures)


def test_a_full_disk_is_named_and_loses_no_line(disk):
    folder, _ = disk
    log = MetricsLog(folder)
    log.write("train", 1, {"loss": 1.0})
    # Room in the line's own block, none for what TensorBoard gathers.
    filler = fill(folder)
    with pytest.raises(UserError, match="No space left on device") as error:
        for step in range(2, 1000):
            log.write("train", step, {"loss": 1.0})
    assert str(folder) in str(error.value) and "\n" not in str(error.value)
    count = len(read_metrics(folder))
    with pytest.raises(UserError, match=r"metrics\.jsonl: cannot be written"):
        MetricsLog(folder, step=1000)
    assert len(read_metrics(folder)) == count
    filler.unlink()
    MetricsLog(folder, step=1000).close()


def test_a_read_only_folder_is_named(disk):
    folder, mount = disk
    (folder / "metrics.jsonl").write_text("")
    assert mount("remount,ro")
    with pytest.raises(UserError, match=r"metrics\.jsonl.*Read-only"):
        MetricsLog(folder)


def test_tensorboard_on_a_full_disk_is_no_want_of_memory(disk):
    folder, _ = disk
    log = MetricsLog(folder)
    (folder / "metrics.jsonl").symlink_to("/dev/null")
    fill(folder)
    with pytest.raises(UserError, match="tensorboard: cannot be.*No space"):
        for step in range(1000):
            log.write("train", step, {"loss": 1.0})


def test_meter_of_a_line_and_of_all_steps(monkeypatch):
    """Two lines of two and one steps of 3 s; the second waits 1.5 s more."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    meter = Meter(batch_size=8)

    def batches():
        for wait in (0.0, 0.0, 1.5):
            now[0] += wait
            yield wait

    lines = []
    for number, loss in enumerate(meter.watch(batches())):
        now[0] += 3.0
        meter.add({"loss": loss + number})
        if number:
            lines.append(meter.flush())
    assert [means["loss"] for means, _ in lines] == [0.5, 3.5]
    assert [seconds for _, seconds in lines] == [6.0, 4.5]
    assert lines[1][0]["pairs_per_second"] == pytest.approx(8 / 4.5)
    assert meter.seconds_per_step == pytest.approx(3.5)
    assert meter.input_wait == pytest.approx(1.5 / 10.5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (150, "2 min"), (9000, "2.5 h")],
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_requests_a_stop_and_the_second_acts(number):
    before = signal.getsignal(number)
    with stop_signals() as requested:
        assert not requested()
        os.kill(os.getpid(), number)
        assert requested()
        assert signal.getsignal(number) == before  # a second one acts
    assert signal.getsignal(number) == before


def test_a_signal_requests_one_checkpoint_and_does_not_kill():
    before = signal.getsignal(signal.SIGUSR1)
    with save_signal() as requested:
        assert not requested()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert requested()
        assert not requested()
    assert signal.getsignal(signal.SIGUSR1) == before


def _profiled(folder, profiled, steps):
    multiply = tf.function(lambda x: tf.linalg.matmul(x, x))
    with StepProfile(folder, profiled) as profile:
        for number in range(steps):
            with profile.step(number):
                multiply(tf.ones((8, 8)))


@pytest.mark.parametrize("steps", [9, 4])
def test_a_trace_of_the_steps_after_the_first(tmp_path, caplog, steps):
    """Also where the run ends before all of them came."""
    caplog.set_level(logging.INFO, "absl")
    _profiled(tmp_path, 2, steps)
    (trace,) = tmp_path.glob("plugins/profile/*/*.xplane.pb")
    content = trace.read_bytes()
    assert b"train" in content and b"MatMul" in content
    (line,) = caplog.messages
    assert f"of {min(2, steps - 3)} steps is in {tmp_path}/plugins" in line


def test_no_profile_stops_no_run(tmp_path, caplog):
    _profiled(tmp_path, 0, 9)
    assert not caplog.messages and not list(tmp_path.iterdir())
    _profiled(tmp_path, 2, 3)
    (tmp_path / "file").write_text("")
    _profiled(tmp_path / "file", 2, 9)
    tf.profiler.experimental.start(str(tmp_path / "other"))
    try:
        _profiled(tmp_path, 2, 9)
    finally:
        tf.profiler.experimental.stop()
    for message, said in zip(
        caplog.messages,
        ("nothing was recorded", "no profile could", "Another profiler is"),
        strict=True,
    ):
        assert "profile_steps=2" in message and said in message


@pytest.mark.parametrize(
    ("flags", "limit", "expected"),
    [
        ("fpu avx2", "", "float32"),
        ("avx2 avx512_bf16", "", "mixed_bfloat16"),
        ("amx_bf16", "", "mixed_bfloat16"),
        ("amx_bf16", "AVX2", "float32"),
        ("amx_bf16", "avx512_core_bf16", "mixed_bfloat16"),
    ],
)
def test_auto_precision_follows_the_processor(
    tmp_path, monkeypatch, caplog, flags, limit, expected
):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    path = tmp_path / "cpuinfo"
    path.write_text(f"flags : {flags}\n")
    monkeypatch.setattr(environment, "Path", lambda _: path)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [])
    assert environment.resolve_dtype_policy("auto") == expected
    assert environment.resolve_dtype_policy("float32") == "float32"
    assert not caplog.messages
    named = "mixed_bfloat16"
    assert environment.resolve_dtype_policy(named) == named
    told = "float32 would be several times as fast" in caplog.text
    assert told == (expected == "float32")


@pytest.mark.parametrize(
    ("capability", "policy"),
    [
        ((9, 0), "mixed_bfloat16"),
        ((8, 0), "mixed_bfloat16"),
        ((7, 5), "mixed_float16"),
        ((6, 1), "float32"),
    ],
)
def test_auto_precision_is_what_the_weakest_gpu_computes(
    monkeypatch, capability, policy
):
    details = {"new": (9, 0), "old": capability}
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: list(details)
    )
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda gpu: {"compute_capability": details[gpu]},
    )
    assert environment.resolve_dtype_policy("auto") == policy
