"""One train step: the sum of its parts, the true gradient, a falling loss."""

import numpy as np
import pytest

from mgtl_tf.config import TrainConfig
from mgtl_tf.training.step import LOSS_NAMES, retrieval_loss
from tests.training.small_step import SmallStep
from tests.training.small_step import batch as _batch


@pytest.fixture(scope="module")
def small():
    return SmallStep(generative_weight=0.3)


@pytest.fixture
def shared(small):
    """A model and its step, at the beginning."""
    return small.model, small.begin()


def test_reported_figures_follow_from_the_descriptors(shared):
    model, step = shared
    batch = _batch()
    outputs = model(batch, training=True)
    values = {k: float(v) for k, v in step(batch, 0.0).items()}
    ground, satellite = (
        np.asarray(outputs[v], "float64") for v in ("ground", "satellite")
    )
    distances = 2 - 2 * ground @ satellite.T
    true, wrong = np.diag(distances), ~np.eye(4, dtype=bool)
    margins = np.concatenate(
        [
            (true[:, None] - distances)[wrong],
            (true[None] - distances)[wrong],
        ]
    )
    triplet = np.mean(np.logaddexp(0, 10 * margins))
    pairs = zip(outputs["generated"], outputs["targets"], strict=True)
    generative = sum(
        np.mean((np.asarray(a) - np.asarray(b)) ** 2) for a, b in pairs
    )
    assert values["triplet_loss"] == pytest.approx(triplet, rel=1e-3)
    assert values["generative_loss"] == pytest.approx(generative, rel=1e-3)
    assert values["loss"] == pytest.approx(triplet + 0.3 * generative, rel=1e-3)
    assert values["positive_distance"] == pytest.approx(true.mean(), rel=1e-3)
    assert values["negative_distance"] == pytest.approx(
        distances[wrong].mean(), rel=1e-3
    )


def test_zero_learning_rate_changes_no_trainable_weight(shared):
    model, step = shared
    before = [v.numpy() for v in model.trainable_variables]
    step(_batch(), 0.0)
    for a, b in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_places_that_may_not_be_negatives_are_left_out(shared):
    """With one allowed pair the loss is that pair's alone (R15)."""
    model, step = shared
    batch = _batch()
    batch["negatives"] = np.zeros((4, 4), bool)
    batch["negatives"][0, 2] = True
    outputs = model(batch, training=True)
    distances = (
        2
        - 2 * np.asarray(outputs["ground"]) @ np.asarray(outputs["satellite"]).T
    )
    expected = [
        np.logaddexp(0, 10 * (distances[0, 0] - distances[0, 2])),
        np.logaddexp(0, 10 * (distances[2, 2] - distances[0, 2])),
    ]
    loss = float(step(batch, 0.0)["triplet_loss"])
    assert loss == pytest.approx(np.mean(expected), rel=1e-3)


def test_loss_halves_at_any_learning_rate_with_one_trace(shared):
    _, step = shared
    batch = _batch()
    first = float(step(batch, 1e-3)["triplet_loss"])
    for rate in (1e-3, 2e-3, 0.0, *[1e-3] * 40):
        last = float(step(batch, rate)["triplet_loss"])
    assert last < first / 2
    assert step._traced.experimental_get_tracing_count() == 1


# Four places at right angles: true pairs at distance 0, wrong ones at 2.
EYE = np.eye(4, dtype="float32")
ALL = ~np.eye(4, dtype=bool)


def found(negatives=ALL, **fields):
    config = TrainConfig(**fields)
    value = retrieval_loss(config)(EYE, EYE, negatives=negatives)
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
