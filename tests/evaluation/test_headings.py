"""Headings that a search over shifts finds: how panoramas were turned."""

import numpy as np
import tensorflow as tf

from mgtl_tf.datasets.pipeline import eval_batches
from mgtl_tf.datasets.protocols import Protocol, ProtocolSource
from mgtl_tf.datasets.records import Pair
from mgtl_tf.evaluation.descriptors import rank_model
from mgtl_tf.evaluation.ranks import read_ranks
from mgtl_tf.evaluation.result_text import format_table
from mgtl_tf.utils.shift_scorer import ShiftScorer
from tests.mean_color import TwoEncoders

COUNT, WIDTH = 12, 40


class Places:
    """Both views of a place are the same noise."""

    images = np.random.default_rng(0).integers(
        0, 256, (COUNT, 2, WIDTH, 3), np.uint8
    )

    def __len__(self):
        return COUNT

    def load(self, rows):
        return self.images[rows], self.images[rows]


class Columns(TwoEncoders):
    """Descriptors are the pixels, column by column."""

    scorer = ShiftScorer(WIDTH)

    def encode_satellite(self, images):
        columns = tf.transpose(images - 127.5, (0, 2, 1, 3))
        return tf.reshape(columns, (-1, WIDTH * 6))

    def encode_ground(self, images):
        return tf.math.l2_normalize(self.encode_satellite(images), axis=-1)


def test_a_turned_panorama_finds_its_place_and_its_heading(tmp_path):
    pairs = [
        Pair(f"{i}", tmp_path / "g", tmp_path / f"a{i}") for i in range(12)
    ]
    for pair in pairs:
        pair.aerial.touch()
    pairs[0].ground.touch()
    protocol = Protocol("unknown_orientation")
    source = ProtocolSource(Places(), pairs, protocol)
    batches = eval_batches(source, 5)
    ranks = rank_model(Columns(), batches, pairs, protocol=protocol)
    result = ranks.result(protocol.name)
    assert result["ground_to_satellite"]["r@1"] == 1
    assert result["satellite_to_ground"]["r@1"] == 1
    # Panoramas are turned by whole columns, of nine degrees here.
    assert (np.abs(ranks.heading_errors) < 9).all()
    assert np.ptp(protocol.headings(pairs)) > 90
    assert result["heading"]["found"] == 12
    assert result["heading"]["within_12_degrees"] == 1
    assert "12 panoramas that are found first: 100.0 %" in format_table(result)
    ranks.save(tmp_path / "ranks.npz")
    again = read_ranks(tmp_path / "ranks.npz", "")
    assert again.result(protocol.name) == result
