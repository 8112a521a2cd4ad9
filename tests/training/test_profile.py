"""The profile of a few steps: a trace that TensorBoard reads, or one line."""

import logging

import pytest
import tensorflow as tf

from mgtl_tf.training.profile import StepProfile


def run(folder, profiled, steps):
    multiply = tf.function(lambda x: tf.linalg.matmul(x, x))
    with StepProfile(folder, profiled) as profile:
        for number in range(steps):
            with profile.step(number):
                multiply(tf.ones((8, 8)))


def traces(folder):
    return list(folder.glob("plugins/profile/*/*.xplane.pb"))


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, "absl")
    return lambda: caplog.messages


@pytest.mark.parametrize("steps", [9, 4])
def test_a_trace_of_the_steps_after_the_first_is_written(tmp_path, said, steps):
    """Also where the run ends before all of them came."""
    run(tmp_path, 2, steps)
    (trace,) = traces(tmp_path)
    content = trace.read_bytes()
    assert b"train" in content and b"MatMul" in content
    assert len(said()) == 1
    assert str(tmp_path / "plugins" / "profile") in said()[0]
    assert f"of {min(2, steps - 3)} steps" in said()[0]


def test_none_is_asked_for(tmp_path, said):
    run(tmp_path, 0, 9)
    assert not said() and not list(tmp_path.iterdir())


def test_a_run_too_short_says_so(tmp_path, said):
    run(tmp_path, 2, 3)
    assert not traces(tmp_path)
    assert len(said()) == 1 and "--profile_steps=2" in said()[0]


def test_what_cannot_be_recorded_stops_no_run(tmp_path, said):
    (tmp_path / "file").write_text("")
    run(tmp_path / "file", 2, 9)
    assert len(said()) == 1 and "no profile could be made" in said()[0]
    tf.profiler.experimental.start(str(tmp_path / "other"))
    try:
        run(tmp_path, 2, 9)
    finally:
        tf.profiler.experimental.stop()
    assert len(said()) == 2 and "Another profiler is running" in said()[1]
