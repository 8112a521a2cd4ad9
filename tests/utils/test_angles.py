"""Typical angles, and angles without them."""

import numpy as np
import pytest
from scipy.stats import circmean

from mgtl_tf.utils.angles import less_typical, typical, wrapped


def test_wrapped():
    given = np.array([0, 180, -180, 190, -190, 725])
    assert wrapped(given).tolist() == [0, -180, -180, -170, 170, 5]


@pytest.mark.parametrize("middle", [0, -12, 90, 179, -179])
def test_typical_of_angles_that_lie_evenly(middle):
    spread = np.linspace(-40, 40, 81)
    expected = circmean(middle + spread, 180, -180)
    assert wrapped(typical(middle + spread) - expected) == pytest.approx(0)
    far = np.append(wrapped(middle + spread), middle + 100)
    # One outlier moves the median by half a step, not the mean's 1.2 degrees.
    assert abs(wrapped(typical(far) - middle)) <= 0.5 + 1e-9


def test_a_constant_is_taken_off_that_the_other_half_gives():
    random = np.random.default_rng(0)
    errors = wrapped(170 + random.normal(0, 6, 2000))
    left = less_typical(errors)
    assert np.abs(left).max() < 40 and abs(np.median(left)) < 0.5
    # Even ones lie at 10, odd ones at 50: each is moved by the others' place.
    assert less_typical(np.array([10.0, 50, 10, 50])).tolist() == [
        -40,
        40,
        -40,
        40,
    ]
    assert less_typical(np.array([33.0])).tolist() == [33]
    assert less_typical(np.zeros(0)).tolist() == []
