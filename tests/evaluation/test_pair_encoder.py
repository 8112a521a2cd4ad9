"""Descriptors by jobs equal those that are made in one go."""

import pickle

import numpy as np
import pytest

from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.records import Pair
from mgtl_tf.evaluation.embedding import embed, with_aerial
from mgtl_tf.evaluation.pair_encoder import PairInputs, embed_by_jobs
from mgtl_tf.utils.errors import UserError
from tests.mean_color import MeanColor


class Noise:
    """Random pictures [N, 2, 4, 3], other ones of each view."""

    def __init__(self, count, seed):
        random = np.random.default_rng(seed)
        shape = (2, count, 2, 4, 3)
        self.views = random.integers(1, 256, shape, np.uint8)

    def __len__(self):
        return self.views.shape[1]

    def load(self, rows):
        return self.views[0, rows], self.views[1, rows]


class Scaled(MeanColor):
    """A model whose weights may have diverged."""

    def __init__(self, gain=1.0):
        super().__init__()
        self.gain.assign(gain)


def opened(gain=1.0):
    return PairInputs(Scaled(gain), Noise(19, 0), 2, aerial=Noise(9, 1))


def not_finite():
    return opened(np.nan)


def elsewhere(function, jobs):
    """As other processes do: what is sent, is pickled."""
    assert [len(rows) for _, rows in jobs] == [8, 8, 3, 8, 1]
    function = pickle.loads(pickle.dumps(function))
    return (function(job) for job in pickle.loads(pickle.dumps(jobs)))


PAIRS = [Pair(f"p{n}", "g.jpg", f"a{n}.jpg") for n in range(19)]
OTHERS = [Pair(f"t{n}", "", f"t{n}.jpg") for n in range(9)]


def test_jobs_give_the_same_descriptors():
    done = []
    ground, satellite = embed_by_jobs(
        elsewhere, opened, 2, PAIRS, OTHERS, done.append
    )
    own = opened()
    wanted = embed(own.model, eval_batches(own.source, 2))
    everything = with_aerial(
        wanted[1], own.model, (OTHERS, eval_batches(own.aerial, 2))
    )
    assert ground.dtype == satellite.dtype == np.float32
    np.testing.assert_array_equal(ground, wanted[0])
    np.testing.assert_array_equal(satellite, everything)
    assert done == [8, 8, 3, 8, 1]


def test_descriptors_that_are_not_finite_are_refused():
    with pytest.raises(UserError, match="pair p0: its ground descriptor"):
        embed_by_jobs(elsewhere, not_finite, 2, PAIRS, OTHERS)
