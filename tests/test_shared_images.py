"""Evaluation where panoramas share an aerial image or lack a position."""

import numpy as np
import pytest

from mgtl_tf.datasets.protocols import Protocol
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.evaluation.ranks import DIRECTIONS
from mgtl_tf.evaluation.result_text import format_table
from mgtl_tf.metrics import PositivePairs, ranks, recall

KS = (1, 2, 5, "10%")
IMAGES = np.array([0, 1, 0, 2, 3, 3, 3, 4, 1, 5])


def unit(rng, rows, size=4):
    x = rng.normal(size=(rows, size))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


def brute_rank(similarity, right):
    """1 + how many wrong rows are at least as similar as the best right."""
    best = max(similarity[row] for row in right)
    wrong = np.setdiff1d(np.arange(len(similarity)), list(right))
    return 1 + int((similarity[wrong] >= best - 1e-6).sum())


def shares(ranks, size):
    counts = {1: 1, 2: 2, 5: min(5, size), "10%": max(1, size // 10)}
    return {f"r@{k}": np.mean(np.array(ranks) <= counts[k]) for k in KS}


@pytest.mark.parametrize("seed", range(5))
def test_both_directions_equal_brute_force(seed):
    rng = np.random.default_rng(seed)
    ground, distinct = unit(rng, 10), unit(rng, 6)
    if seed == 0:
        distinct[5] = distinct[0]  # a tie of two different images
    satellite = distinct[IMAGES]
    result = evaluation.evaluate(ground, satellite, ks=KS, images=IMAGES)
    similarity = ground.astype("f8") @ distinct.astype("f8").T
    forth = [brute_rank(similarity[i], [IMAGES[i]]) for i in range(10)]
    back = [
        brute_rank(similarity[:, n], np.flatnonzero(IMAGES == n).tolist())
        for n in range(6)
    ]
    assert (result["gallery_size"], result["panoramas"]) == (6, 10)
    for name, expected, size in (
        ("ground_to_satellite", forth, 6),
        ("satellite_to_ground", back, 10),
    ):
        found = result[name]
        assert found["mean_rank"] == pytest.approx(np.mean(expected))
        for k, share in shares(expected, size).items():
            assert found[k] == pytest.approx(share), (name, k)


def test_a_perfect_model_of_two_panoramas_an_image_is_right():
    images = np.arange(100).repeat(2)
    descriptors = unit(np.random.default_rng(0), 100, 32)[images]
    result = evaluation.evaluate(descriptors, descriptors, images=images)
    for direction in DIRECTIONS:
        assert result[direction]["r@1"] == 1.0
        assert result[direction]["ties"] == 0
    # r@1% is of the distinct images: the first answer alone.
    assert result["gallery_size"] == 100
    table = format_table(result)
    assert "gallery: 100 distinct aerial images of 200 panoramas" in table


def test_one_descriptor_for_all_is_never_right():
    same = np.tile(unit(np.random.default_rng(1), 1), (10, 1))
    result = evaluation.evaluate(same, same, images=IMAGES)
    for direction in DIRECTIONS:
        assert result[direction]["r@1"] == 0


def test_without_shared_images_figures_are_those_of_recall():
    rng = np.random.default_rng(3)
    ground, satellite = unit(rng, 60), unit(rng, 60)
    satellite[7] = satellite[9]
    result = evaluation.evaluate(ground, satellite, images=np.arange(60))
    assert result["ground_to_satellite"] == recall(ground, satellite)
    assert result["satellite_to_ground"] == recall(satellite, ground)
    assert result == evaluation.evaluate(ground, satellite)


def test_a_query_without_a_right_answer_is_last():
    x = np.eye(3, dtype="float32")
    right = PositivePairs(np.array([0, 2]), np.array([0, 1]))
    rank, _ = ranks(x, x, right)
    assert rank.tolist() == [1, 4, 3]


def test_a_missing_position_loses_that_position_only():
    # Ground 1 is nearest to satellite 2, 10 m off; ground 3 to satellite 0.
    satellite = np.eye(4, dtype="float32")
    ground = np.eye(4, dtype="float32")[[0, 2, 2, 0]]
    places = np.array([[0.0, 0], [30, 0], [40, 0], [90, 0]])
    whole = evaluation.evaluate(ground, satellite, places, ks=(1,))
    assert whole["ground_to_satellite"]["within_25m"] == 0.75
    places[3] = np.nan
    partly = evaluation.evaluate(ground, satellite, places, ks=(1,))
    assert partly["ground_to_satellite"]["within_25m"] == 1.0  # 3 of 3
    assert partly["ground_to_satellite"]["r@1"] == 0.5
    assert (partly["with_position"], partly["panoramas"]) == (3, 4)
    assert "1 of 4 panoramas has no position" in format_table(partly)
    # An answer of unknown position is too far, but for its own query.
    places[[2, 3]] = places[[3, 0]]
    answered = evaluation.evaluate(ground, satellite, places, ks=(1,))
    assert answered["ground_to_satellite"]["within_25m"] == pytest.approx(2 / 3)


def test_hit_metres_uses_what_is_known_and_a_query_s_own():
    satellite = np.eye(4, dtype="float32")
    ground = np.eye(4, dtype="float32")[[0, 2, 2, 3]]
    places = np.array([[0.0, 0], [30, 0], [34, 0], [np.nan, np.nan]])
    near = Protocol(hit_metres=5.0)
    found = evaluation.evaluate(
        ground, satellite, places, ks=(1,), protocol=near
    )
    assert found["ground_to_satellite"]["r@1"] == 1.0
    far = Protocol(hit_metres=3.0)
    found = evaluation.evaluate(
        ground, satellite, places, ks=(1,), protocol=far
    )
    assert found["ground_to_satellite"]["r@1"] == 0.75


def test_an_image_is_where_its_first_known_pair_says():
    images = np.array([0, 0, 1])
    places = np.array([[np.nan, 0], [50.0, 0], [80.0, 0]])
    x = np.eye(3, dtype="float32")[[0, 0, 1]]
    x[2] = [0.8, 0.6, 0]
    ground = x[[0, 0, 0]]  # the third is nearest to image 0, 30 m off
    for metres, share in ((29.0, 0.5), (30.0, 1.0)):
        result = evaluation.evaluate(
            ground, x, places, metres=metres, images=images
        )
        found = result["ground_to_satellite"][f"within_{metres:g}m"]
        assert found == share
