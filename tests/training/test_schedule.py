"""Learning rates at the points that can be worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgtl_tf.training.optimizers import learning_rate


@given(step=st.integers(0, 10_000))
def test_the_paper_is_constant(step):
    assert learning_rate(step, 10_000, 1e-5, "constant", 0.0) == 1e-5


def test_cosine_begins_at_the_peak_and_ends_at_zero():
    assert learning_rate(0, 100, 2.0, "cosine", 0.0) == 2.0
    assert learning_rate(50, 100, 2.0, "cosine", 0.0) == pytest.approx(1.0)
    assert learning_rate(25, 100, 2.0, "cosine", 0.0) == pytest.approx(
        1 + math.cos(math.pi / 4)
    )
    assert learning_rate(100, 100, 2.0, "cosine", 0.0) == pytest.approx(0.0)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_warmup_rises_to_the_peak(schedule):
    rates = [learning_rate(s, 100, 1.0, schedule, 0.1) for s in range(12)]
    assert rates[:10] == pytest.approx([(s + 1) / 11 for s in range(10)])
    assert rates[10] == pytest.approx(1.0)


def test_unknown_schedule():
    with pytest.raises(ValueError, match="linear"):
        learning_rate(0, 1, 1.0, "linear", 0.0)
