"""The config's loss with the config's settings, by its logged name."""

import numpy as np
import pytest

from mgtl_tf.config import TrainConfig
from mgtl_tf.training.step import LOSS_NAMES, retrieval_loss

# Four places at right angles: true pairs at distance 0, wrong ones at 2.
EYE = np.eye(4, dtype="float32")
ALL = ~np.eye(4, dtype=bool)


def found(negatives=ALL, **fields):
    config = TrainConfig(**fields)
    loss, options = retrieval_loss(config)
    value = loss(EYE, EYE, negatives=negatives, **options)
    return LOSS_NAMES[config.loss], float(value)


def test_the_paper_is_the_triplet():
    expected = "triplet_loss", pytest.approx(np.log1p(np.exp(-20)), rel=1e-4)
    assert found() == expected
    assert found(hard_negatives_per_query=1) == expected


def test_the_triplets_settings_reach_it():
    fields = {"gamma": 0.5, "distance": "euclidean"}
    value = np.log1p(np.exp(-0.5 * np.sqrt(2)))
    assert found(**fields) == ("triplet_loss", pytest.approx(value, rel=1e-4))


def test_info_nces_settings_reach_it():
    fields = {"temperature": 0.5, "label_smoothing": 0.3, "loss": "info_nce"}
    value = np.log1p(3 * np.exp(-2)) + 3 * 0.3 / 4 * 2
    assert found(**fields) == ("info_nce_loss", pytest.approx(value, rel=1e-5))
    mask = ALL.copy()
    mask[:, 3] = mask[3, :] = False
    value = np.log1p(2 * np.exp(-2)) + 2 * 0.3 / 3 * 2
    assert found(mask, **fields)[1] == pytest.approx(value, rel=1e-5)


def test_what_may_not_be_a_negative_is_none():
    for loss in ("triplet", "info_nce"):
        assert found(np.zeros((4, 4), bool), loss=loss)[1] == 0
