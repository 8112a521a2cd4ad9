"""The paired bootstrap against the normal law and by hand."""

import numpy as np
import pytest

from mgtl_tf.reproduction.comparison import paired_difference


def _ranks(hits):
    return np.where(hits, 1, 9).astype(np.int32)


def test_interval_by_the_normal_law():
    """Gains of +1, -1, 0 with known shares, over many queries."""
    gains = np.repeat([1, -1, 0], [500, 300, 1200])
    first, second = gains == 1, gains == -1
    found = paired_difference([_ranks(first)], [_ranks(second)])
    error = np.sqrt((0.4 - 0.1**2) / 2000)
    assert found.mean == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1 - 1.96 * error, abs=0.002)
    assert found.high == pytest.approx(0.1 + 1.96 * error, abs=0.002)


def test_seeds_are_averaged():
    hits = np.zeros((4, 100), bool)
    for run, count in enumerate((60, 70, 40, 44)):
        hits[run, :count] = True
    rows = [_ranks(h) for h in hits]
    found = paired_difference(rows[:2], rows[2:])
    assert found.mean == pytest.approx(0.65 - 0.42)
    # Variances of (0.6, 0.7) and (0.4, 0.44) over their two seeds.
    assert found.standard_error == pytest.approx(
        np.sqrt(0.005 / 2 + 0.0008 / 2)
    )
    assert found.is_significant
    assert paired_difference(rows[2:], rows[:2]).mean == -found.mean


def test_what_is_not_is_significant():
    hits = np.arange(200) < 120
    other = np.roll(hits, 3)
    same = paired_difference([_ranks(hits)] * 2, [_ranks(other)] * 2)
    assert (
        same.mean == 0
        and same.low <= 0 <= same.high
        and not same.is_significant
    )
    # Clear over queries, but one seed tells nothing of other seeds.
    worse = np.arange(200) < 60
    single = paired_difference([_ranks(hits)], [_ranks(worse)])
    assert single.low > 0 and single.standard_error is None
    assert not single.is_significant
    # Nor is a difference that the seeds' own spread explains.
    spread = paired_difference(
        [_ranks(np.arange(200) < n) for n in (20, 180)],
        [_ranks(worse), _ranks(worse)],
    )
    assert spread.low > 0 and not spread.is_significant


def test_the_same_draws_every_time():
    ranks = [_ranks(np.arange(50) % 3 == 0)], [_ranks(np.arange(50) % 2 == 0)]
    assert paired_difference(*ranks) == paired_difference(*ranks)
    # Equal gains have an interval of no width.
    always, never = _ranks(np.ones(5, bool)), _ranks(np.zeros(5, bool))
    found = paired_difference([always], [never])
    assert (found.mean, found.low, found.high) == (1, 1, 1)


def test_rows_that_cannot_be_compared():
    with pytest.raises(ValueError, match="different queries"):
        paired_difference([np.ones(3)], [np.ones(4)])
    with pytest.raises(ValueError, match="without a run"):
        paired_difference([], [np.ones(4)])
