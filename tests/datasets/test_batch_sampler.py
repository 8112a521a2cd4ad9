"""Batch composition by its invariants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.datasets.batch_sampler import (
    kept_neighbours,
    mined_batches,
    shuffled_batches,
)


@settings(max_examples=80)
@given(st.data())
def test_every_place_at_most_once(data):
    count = data.draw(st.integers(1, 60))
    batch_size = data.draw(st.integers(1, count))
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    neighbours = rng.integers(-1, count, (count, data.draw(st.integers(1, 9))))
    randomness = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    for compose in (
        lambda r: shuffled_batches(count, batch_size, r),
        lambda r: mined_batches(neighbours, batch_size, r, randomness),
    ):
        batches = compose(np.random.default_rng(seed))
        assert batches.shape == (count // batch_size, batch_size)
        assert len(np.unique(batches)) == batches.size
        assert batches.min() >= 0 and batches.max() < count
        again = compose(np.random.default_rng(seed))
        np.testing.assert_array_equal(batches, again)


def test_places_left_out_differ_between_epochs():
    neighbours = np.tile([1, 2, 3], (10, 1))
    for compose in (
        lambda r: shuffled_batches(10, 7, r),
        lambda r: mined_batches(neighbours, 7, r),
    ):
        out = set()
        for epoch in range(40):
            batches = compose(np.random.default_rng([0, epoch]))
            out |= set(range(10)) - set(batches.ravel().tolist())
        assert out == set(range(10))


def test_closed_families_of_places_fill_whole_batches():
    # Families of four, neighbours of each other alone: each is one batch.
    family = np.arange(40) // 4
    neighbours = np.array(
        [
            np.setdiff1d(np.flatnonzero(family == f), i)
            for i, f in enumerate(family)
        ]
    )
    batches = mined_batches(neighbours, 4, np.random.default_rng(3))
    assert (family[batches] == family[batches][:, :1]).all()


def ring(count, k):
    """Places on a ring, each nearest to those beside it."""
    steps = np.array([(d // 2 + 1) * (1 if d % 2 else -1) for d in range(k)])
    return (np.arange(count)[:, None] + steps) % count


def shared(batches, neighbours):
    """Mean number of a place's neighbours in its own batch."""
    batch_of = np.full(len(neighbours) + 1, -2)
    for step, batch in enumerate(batches):
        batch_of[batch] = step
    there = batch_of[neighbours] == batch_of[:-1, None]
    return there[batch_of[:-1] >= 0].sum(1).mean()


@pytest.mark.parametrize("randomness", [0.0, 1.0])
def test_neighbours_meet_far_more_often_than_by_chance(randomness):
    neighbours = ring(2000, 8)
    rng = np.random.default_rng(0)
    mined = mined_batches(neighbours, 16, rng, randomness=randomness)
    shuffled = shuffled_batches(2000, 16, rng)
    # Of 8 neighbours, chance brings 8 * 15 / 1999 = 0.06 into the batch.
    assert shared(shuffled, neighbours) < 0.2
    assert shared(mined, neighbours) > 4


def test_batch_sizes_that_do_not_fit():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="batch_size=5: must be 1 to 4"):
        shuffled_batches(4, 5, rng)
    with pytest.raises(ValueError, match="batch_size=0"):
        mined_batches(ring(4, 2), 0, rng)


def test_the_nearest_are_kept_and_as_many_others_drawn_evenly():
    neighbours = np.tile(np.arange(10, 22), (500, 1))
    rng = np.random.default_rng(0)
    found = kept_neighbours(neighbours, 3, rng)
    assert found.shape == (500, 6)
    assert (found[:, :3] == [10, 11, 12]).all()
    others = found[:, 3:]
    assert (np.diff(others, axis=1) > 0).all() and others.min() >= 13
    # Nine others, three drawn of each place: a third of 500, give or take
    # five standard deviations.
    counts = np.bincount(others.ravel(), minlength=22)[13:]
    assert np.abs(counts - 500 / 3).max() < 5 * np.sqrt(500 * 2 / 9)
    again = kept_neighbours(neighbours, 3, rng)
    assert (again[:, 3:] != others).any()


def test_places_of_few_neighbours_keep_what_there_is():
    neighbours = np.array([[4, 5, 6, 7, -1, -1], [1, 2, -1, -1, -1, -1]])
    found = kept_neighbours(neighbours, 2, np.random.default_rng(1))
    assert found[0].tolist() == [4, 5, 6, 7]
    assert found[1].tolist() == [1, 2, -1, -1]
