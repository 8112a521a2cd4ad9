"""Evaluation with a model whose descriptors are known beforehand."""

import gc
import json
import weakref

import numpy as np
import pytest

from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.protocols import Protocol
from mgtl_tf.datasets.records import Pair
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.evaluation import embedding
from mgtl_tf.evaluation.result_text import format_table
from mgtl_tf.utils.errors import UserError
from tests.mean_color import MeanColor


class Colors:
    """Plain images: place i has colour i in both views."""

    def __init__(self, colors):
        self.images = np.broadcast_to(
            np.asarray(colors, np.uint8)[:, None, None], (len(colors), 2, 4, 3)
        )

    def __len__(self):
        return len(self.images)

    def load(self, rows):
        return self.images[rows], self.images[rows]


COLORS = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 0], [9, 0, 9]], np.uint8
)


def records(count, spacing=10.0):
    return [
        Pair(f"p{i}", "g.jpg", f"a{i}.jpg", (6.1e6 + spacing * i, 0.0))
        for i in range(count)
    ]


def test_embed_gives_every_pair_once_in_order():
    done = []
    ground, satellite = embedding.embed(
        MeanColor(), eval_batches(Colors(COLORS), 2), done.append
    )
    wanted = COLORS / np.linalg.norm(COLORS.astype("f8"), axis=1)[:, None]
    np.testing.assert_allclose(ground, wanted, atol=1e-6)
    np.testing.assert_allclose(satellite, wanted, atol=1e-6)
    assert ground.dtype == np.float32 and done == [2, 2, 1]


def test_embed_traces_once_and_sees_new_weights():
    model, source = MeanColor(), Colors(COLORS)
    before, _ = embedding.embed(model, eval_batches(source, 2))
    model.gain.assign(-1.0)
    after, _ = embedding.embed(model, eval_batches(source, 2))
    np.testing.assert_allclose(after, -before)
    traces = embedding._encoder(model).experimental_get_tracing_count()
    assert traces == 1


def test_embed_does_not_keep_a_model_alive():
    model = MeanColor()
    embedding.embed(model, eval_batches(Colors(COLORS), 2))
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None


def test_nothing_to_embed():
    with pytest.raises(ValueError, match="no batch"):
        embedding.embed(MeanColor(), [])


def test_both_directions_of_a_hand_made_case():
    # Ground 1 is nearest to satellite 2, 10 m off; all else is right.
    satellite = np.eye(4, dtype="float32")
    ground = satellite.copy()
    ground[1] = [0, 0.6, 0.8, 0]
    places = np.array([[0.0, 0], [30, 0], [40, 0], [90, 0]])
    result = evaluation.evaluate(ground, satellite, places, ks=(1, "50%"))
    assert result == {
        "protocol": "aligned",
        "ground_to_satellite": {
            "r@1": 0.75,
            "r@50%": 1.0,
            "ties": 0,
            "mean_rank": 1.25,
            "median_rank": 1.0,
            "within_25m": 1.0,
        },
        "satellite_to_ground": {
            "r@1": 1.0,
            "r@50%": 1.0,
            "ties": 0,
            "mean_rank": 1.0,
            "median_rank": 1.0,
            "within_25m": 1.0,
        },
        "gallery_size": 4,
        "panoramas": 4,
        "with_position": 4,
    }
    assert json.loads(json.dumps(result)) == result
    unknown = evaluation.evaluate(ground, satellite)
    assert "within_25m" not in unknown["ground_to_satellite"]
    nearer = evaluation.evaluate(ground, satellite, places, metres=5.0)
    assert nearer["ground_to_satellite"]["within_5m"] == 0.75


def test_a_neighbour_counts_where_the_protocol_says_so():
    """Ground 1 is nearest to satellite 2, 4 m off; ground 3 to 0, 90 m."""
    satellite = np.eye(4, dtype="float32")
    ground = np.eye(4, dtype="float32")[[0, 2, 2, 0]]
    places = np.array([[0.0, 0], [30, 0], [34, 0], [90, 0]])
    plain = evaluation.evaluate(ground, satellite, places, ks=(1,))
    assert plain["ground_to_satellite"]["r@1"] == 0.5
    protocol = Protocol(hit_metres=5.0)
    near = evaluation.evaluate(
        ground, satellite, places, ks=(1,), protocol=protocol
    )
    assert near["ground_to_satellite"]["r@1"] == 0.75
    assert near["protocol"] == "aligned, right within 5 m"
    assert plain["protocol"] == "aligned"
    with pytest.raises(UserError, match="^hit_metres=5: .*no positions"):
        evaluation.evaluate(ground, satellite, protocol=protocol)


def test_rank_model_uses_the_positions_of_the_records():
    batches = eval_batches(Colors(COLORS), 2)
    ranks = evaluation.rank_model(MeanColor(), batches, records(5))
    result = ranks.result("aligned")
    assert result["ground_to_satellite"]["r@1"] == 1.0
    assert result["satellite_to_ground"]["within_25m"] == 1.0
    assert result["gallery_size"] == 5


def test_a_model_that_gives_one_descriptor_for_all_scores_nothing():
    grey = np.full((20, 3), 77, np.uint8)
    batches = eval_batches(Colors(grey), 8)
    ranks = evaluation.rank_model(MeanColor(), batches, records(20, 50.0))
    values = ranks.result("aligned")["ground_to_satellite"]
    assert values["r@1"] == values["r@10"] == values["within_25m"] == 0
    assert values["ties"] == 20 and values["mean_rank"] == 20


def test_descriptors_that_are_not_finite_name_the_pair():
    colors = COLORS.copy()
    colors[3] = 0  # the mean of black has no direction
    batches = eval_batches(Colors(colors), 2)
    with pytest.raises(UserError, match="pair p3: its ground .*1 of 5"):
        evaluation.rank_model(MeanColor(), batches, records(5))


def test_records_of_other_pairs_are_refused():
    with pytest.raises(ValueError, match="4 pairs and 5 descriptors"):
        evaluation.rank_model(
            MeanColor(), eval_batches(Colors(COLORS), 2), records(4)
        )


def test_table():
    values = {"r@1": 0.9412, "r@1%": 1.0, "ties": 1234, "mean_rank": 1.25}
    worse = {"r@1": 0.05, "r@1%": 0.5, "ties": 0, "mean_rank": 4321.0}
    text = format_table(
        {
            "protocol": "aligned",
            "ground_to_satellite": {**values, "within_25m": 0.5},
            "satellite_to_ground": {**worse, "within_25m": 0.0},
            "gallery_size": 8884,
        }
    )
    lines = text.splitlines()
    assert len({len(line) for line in lines[:3]}) == 1
    assert lines[0].split("  ")[-1] == "within 25m"
    assert lines[0].startswith("aligned  ")
    assert lines[1].split() == (
        "ground to satellite 94.12 % 100.00 % 1,234 1.2 50.00 %".split()
    )
    assert "4,321.0" in lines[2]
    assert lines[3] == "gallery: 8,884 places"
