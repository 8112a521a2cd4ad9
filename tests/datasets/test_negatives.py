"""Whether there are any negatives, and in which batches."""

import numpy as np
import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.negatives import require_negatives, without_negatives
from mgtl_tf.datasets.records import Pair
from mgtl_tf.training.checkpoint import Progress
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.order import EpochOrder

NAN = np.nan


@pytest.mark.parametrize(
    ("images", "line", "radius", "said"),
    [
        ([0, 1], [0, 25], 25, None),
        ([0, 1], [0, 24], 25, "same_place_metres=25: .*24.0 m at most"),
        ([0, 1], [0, NAN], 25, None),
        ([0, 0], [0, 90], 25, "share one aerial image"),
        ([0, 0], [NAN, NAN], 0, "share one aerial image"),
        ([0, 0, 1], [0, 90, 80], 85, "10.0 m|80.0 m"),
        ([0, 1], [0, 0], 0, None),
    ],
)
def test_of_all_pairs(images, line, radius, said):
    places = np.stack([line, np.zeros(len(line))], axis=1)
    if said is None:
        require_negatives(np.array(images), places, radius)
    else:
        with pytest.raises(UserError, match=said):
            require_negatives(np.array(images), places, radius)


def test_far_rows_are_found_in_every_part():
    places = np.zeros((700, 2))
    images = np.arange(700)
    with pytest.raises(UserError, match="0.0 m at most"):
        require_negatives(images, places, 25.0)
    places[699] = 30.0
    require_negatives(images, places, 25.0)
    require_negatives(images, None, 25.0)


def test_of_batches():
    images = np.array([0, 0, 1, 2])
    places = np.array([[0.0, 0], [90, 0], [100, 0], [NAN, 0]])
    batches = np.array([[0, 1], [1, 2], [0, 2], [0, 3]])
    assert without_negatives(batches, images, places, 25.0) == 2
    assert without_negatives(batches, images, None, 25.0) == 1


def epoch(line):
    pairs = [
        Pair(str(i), "g", f"a{i}", (float(x), 0.0)) for i, x in enumerate(line)
    ]
    config = RunConfig().replace(batch_size=2)
    batches = EpochOrder(config, None, range(len(line)), pairs)
    batches._look_for_negatives(batches._compose(Progress()))


def test_an_epoch_says_how_many_batches_teach_nothing(caplog):
    epoch([0] * 23 + [90])
    assert "11 of 12 batches hold only places of one aerial" in caplog.text
    with pytest.raises(UserError, match="2 of 2 batches .* batch_size"):
        epoch([0, 0, 0, 0])
