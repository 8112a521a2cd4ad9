"""The paired bootstrap against SciPy and against the normal law."""

import numpy as np
import pytest
import scipy.stats

from mgtl_tf.reproduction.bootstrap import paired_difference


def _ranks(hits):
    return np.where(hits, 1, 9).astype(np.int32)


def test_interval_is_scipys():
    random = np.random.default_rng(0)
    first, second = random.random((2, 300)) < [[0.7], [0.6]]
    found = paired_difference([_ranks(first)], [_ranks(second)])
    gains = first.astype(float) - second
    assert found.mean == pytest.approx(gains.mean())
    theirs = scipy.stats.bootstrap(
        (gains,), np.mean, n_resamples=10_000, method="percentile", rng=1
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=0.008)


def test_interval_by_the_normal_law():
    """Gains of +1, -1, 0 with known shares, over many queries."""
    gains = np.repeat([1, -1, 0], [500, 300, 1200])
    first, second = gains == 1, gains == -1
    found = paired_difference([_ranks(first)], [_ranks(second)])
    error = np.sqrt((0.4 - 0.1**2) / 2000)
    assert found.mean == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1 - 1.96 * error, abs=0.002)
    assert found.high == pytest.approx(0.1 + 1.96 * error, abs=0.002)


def test_seeds_are_averaged_and_their_spread_is_told():
    hits = np.zeros((4, 100), bool)
    for run, count in enumerate((60, 70, 40, 44)):
        hits[run, :count] = True
    rows = [_ranks(h) for h in hits]
    found = paired_difference(rows[:2], rows[2:])
    assert found.mean == pytest.approx(0.65 - 0.42)
    # Variances of (0.6, 0.7) and (0.4, 0.44) over their two seeds.
    assert found.spread == pytest.approx(np.sqrt(0.005 / 2 + 0.0008 / 2))
    assert found.beyond_noise
    assert paired_difference(rows[2:], rows[:2]).mean == -found.mean


def test_what_is_not_beyond_noise():
    hits = np.arange(200) < 120
    other = np.roll(hits, 3)
    same = paired_difference([_ranks(hits)] * 2, [_ranks(other)] * 2)
    assert same.mean == 0 and not same.beyond_queries
    # Clear over queries, but one seed tells nothing of other seeds.
    worse = np.arange(200) < 60
    single = paired_difference([_ranks(hits)], [_ranks(worse)])
    assert single.beyond_queries and not single.beyond_noise
    # Nor is a difference that the seeds' own spread explains.
    spread = paired_difference(
        [_ranks(np.arange(200) < n) for n in (20, 180)],
        [_ranks(worse), _ranks(worse)],
    )
    assert spread.beyond_queries and not spread.beyond_noise


def test_the_same_draws_every_time():
    ranks = [_ranks(np.arange(50) % 3 == 0)], [_ranks(np.arange(50) % 2 == 0)]
    found, again = paired_difference(*ranks), paired_difference(*ranks)
    assert (found.low, found.high) == (again.low, again.high)


def test_rows_that_cannot_be_compared():
    with pytest.raises(ValueError, match="different queries"):
        paired_difference([np.ones(3)], [np.ones(4)])
    with pytest.raises(ValueError, match="without a run"):
        paired_difference([], [np.ones(4)])
