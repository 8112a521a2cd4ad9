"""Which batches an epoch gets: by map, by chance, by model; always the same."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.records import Pair
from mgtl_tf.training.progress import Progress
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.order import EpochOrder
from tests import programs

ROOT = Path(__file__).parents[2]


def threads(count):
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return dict.fromkeys(names, str(count))


def test_two_processes_and_other_worker_counts_see_the_same_epochs():
    """The second is no fork of the first's: its sets have another order."""
    module = "tests.workflows.epoch_digest"
    one = programs.start(module, 1, 1, **threads(1))
    two = subprocess.Popen(
        [sys.executable, "-m", module, "2", "4"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "2", **threads(2)},
        stdout=subprocess.PIPE,
        text=True,
    )
    found = [run.communicate(timeout=240)[0].split() for run in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0]
    assert len(found[0]) == 1 and found[0] == found[1]


def order(pairs, **settings):
    config = RunConfig().replace(**settings)
    return EpochOrder(config.data, config.train, None, range(len(pairs)), pairs)


MAP, MODEL = "_near_on_map", "_hard_negatives"


@pytest.mark.parametrize(
    ("settings", "kinds", "mined"),
    [
        ({}, [None] * 6, []),
        ({"mining_by_position_until": 2}, [MAP, MAP] + [None] * 4, [MAP]),
        ({"mining_start": 1}, [None] + [MODEL] * 5, [MODEL, MODEL]),
        (
            {"mining_by_position_until": 2, "mining_start": 4},
            [MAP, MAP, None, None, MODEL, MODEL],
            [MAP, MODEL],
        ),
        # Where the model takes over, it mines anew, whatever its rhythm.
        (
            {"mining_by_position_until": 2, "mining_start": 0},
            [MAP, MAP, MODEL, MODEL, MODEL, MODEL],
            [MAP, MODEL, MODEL],
        ),
    ],
)
def test_what_each_epoch_is_composed_from(monkeypatch, settings, kinds, mined):
    calls = []
    for name in (MAP, MODEL):
        mine = lambda self, name=name: calls.append(name) or name  # noqa: E731
        monkeypatch.setattr(EpochOrder, name, mine)
    batches = order([Pair("a", "g", "a")], mining_every=4, **settings)
    progress, found = Progress(), []
    for progress.epoch in range(6):
        batches._renew_neighbours(progress)
        found.append(progress.neighbours)
    assert (found, calls) == (kinds, mined)


def test_the_first_epochs_hold_neighbours_on_the_map():
    """Places on a line, in random order of rows: batches are short pieces."""
    line = np.random.default_rng(0).permutation(200)
    pairs = [
        Pair(str(i), "g", f"a{i}", (30.0 * x, 0.0)) for i, x in enumerate(line)
    ]
    by_map = {"mining_by_position_until": 1, "mining_neighbours": 8}
    batches = order(pairs, batch_size=8, **by_map)
    progress = Progress()
    batches._renew_neighbours(progress)
    spans = np.ptp(line[batches.rows(progress)], axis=1)
    assert np.median(spans) < 25  # by chance about 155


def test_pairs_without_positions_are_refused():
    pairs = [Pair(str(i), "g", f"a{i}") for i in range(4)]
    batches = order(pairs, batch_size=2, mining_by_position_until=1)
    with pytest.raises(UserError, match="must be 0: fewer than two"):
        batches(Progress())


def test_some_neighbours_are_kept_and_others_drawn_anew_in_every_epoch():
    settings = {"batch_size": 4, "mining_neighbours": 6, "mining_kept": 2}
    drawn = order([Pair(str(i), "", "") for i in range(12)], **settings)
    plain = order(drawn.pairs, **{**settings, "mining_kept": 0})
    progress = Progress()
    progress.neighbours = np.array(
        [np.delete(np.arange(12), i)[:6] for i in range(12)]
    )
    found = drawn.rows(progress)
    np.testing.assert_array_equal(found, drawn.rows(progress))
    assert not np.array_equal(found, plain.rows(progress))
