"""Similarity of tokens: closed forms, loops, constant predictions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgtl_tf.analysis.similarity import (
    other_places,
    similarity,
    token_recall,
    variation,
)


def _tokens(seed, places=7):
    return np.random.default_rng(seed).normal(size=(places, 3, 4))


@given(st.integers(2, 60), st.integers(0, 5))
def test_others_are_a_permutation_without_a_fixed_point(count, seed):
    others = other_places(count, seed)
    assert sorted(others) == list(range(count))
    assert not np.any(others == np.arange(count))
    np.testing.assert_array_equal(others, other_places(count, seed))


def test_one_place_has_no_other():
    with pytest.raises(ValueError, match="count=1"):
        other_places(1)


def test_similarity_is_what_loops_over_places_give():
    found, truth = _tokens(0), _tokens(1) + 0.5
    others = other_places(7, 3)
    result = similarity(found, truth, others)
    mean_found, mean_truth = found.mean(0), truth.mean(0)
    constant = np.mean([np.mean((t - mean_truth) ** 2) for t in truth])

    def cosine(a, b):
        return np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))

    for prefix, partner in (("", range(7)), ("other_", others)):
        pairs = [(found[i], truth[j]) for i, j in enumerate(partner)]
        mse = np.mean([np.mean((a - b) ** 2) for a, b in pairs])
        expected = {
            "centred_cosine": np.mean(
                [cosine(a - mean_found, b - mean_truth) for a, b in pairs]
            ),
            "mse": mse,
            "normalized_mse": mse / constant,
        }
        for name, value in expected.items():
            assert result[prefix + name] == pytest.approx(value, abs=1e-5)


def test_perfect_knowledge():
    truth = _tokens(2)
    result = similarity(truth, truth, other_places(7))
    assert result["centred_cosine"] == pytest.approx(1, abs=1e-6)
    assert result["mse"] == result["normalized_mse"] == 0
    # An independent place is one variance away, and so is the truth: two.
    many = _tokens(2, places=4000)
    other = similarity(many, many, other_places(4000))
    assert other["other_normalized_mse"] == pytest.approx(2, abs=0.1)
    assert other["other_centred_cosine"] == pytest.approx(0, abs=0.02)
    recall = token_recall(3 * truth, truth)  # a cosine knows no lengths
    assert recall["r@1"] == 1 and recall["mean_rank"] == 1


def test_a_constant_guess_is_near_to_all_and_knows_nothing():
    truth = _tokens(3) + 5  # cosines are high whatever the place
    guess = np.broadcast_to(truth.mean(0), truth.shape)
    result = similarity(guess, truth, other_places(7))
    assert result["normalized_mse"] == pytest.approx(1, abs=1e-5)
    assert result["centred_cosine"] == 0
    # Ties count against: of seven equal answers none is the place's own.
    swapped = token_recall(truth, guess)
    assert swapped["r@1"] == 0 and swapped["ties"] == 7


def test_collapsed_tokens():
    truth = np.ones((5, 3, 4))
    result = similarity(_tokens(4, 5), truth, other_places(5))
    assert result["normalized_mse"] is None
    assert result["centred_cosine"] == 0
    assert variation(truth) == 0
    assert variation(np.zeros((5, 3, 4))) == 0


def test_variation_is_a_share_of_the_mean_square():
    signs = np.array([1.0, -1, 1, -1])[:, None, None]
    assert variation(signs * np.ones((4, 3, 2))) == pytest.approx(1)
    # A mean of 3 and a deviation of 1: one tenth.
    assert variation(3 + signs * np.ones((4, 3, 2))) == pytest.approx(0.1)
