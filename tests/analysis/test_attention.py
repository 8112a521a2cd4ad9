"""Attention's measures: closed forms, SciPy, loops; their parts add up."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.analysis.attention import (
    AttentionTotals,
    direction,
    entropy,
    even_direction,
    focus,
    offsets,
)

T = 8


def _attention(seed, places=5, steps=2, heads=3, size=T, sharpness=2.0):
    logits = np.random.default_rng(seed).normal(
        scale=sharpness, size=(places, steps, heads, size, size)
    )
    return scipy.special.softmax(logits, axis=-1)


def _focus(attention):
    """Of places' maps [n, T, T] of one head."""
    totals = AttentionTotals()
    totals.add(attention[:, None, None])
    return focus(totals.maps[0, 0], totals.entropies[0, 0])


def test_entropy_is_scipys():
    attention = _attention(0)
    expected = scipy.stats.entropy(attention, axis=-1)
    np.testing.assert_allclose(entropy(attention), expected)
    assert entropy(np.eye(3)).tolist() == [0, 0, 0]


def test_totals_do_not_depend_on_the_batches():
    attention = _attention(1)
    totals = AttentionTotals()
    for part in (attention[:2], attention[2:]):
        totals.add(part.astype(np.float32))
    assert totals.count == 5
    np.testing.assert_allclose(totals.maps, attention.mean(0), atol=1e-6)
    expected = scipy.stats.entropy(attention, axis=-1).mean((0, 3))
    np.testing.assert_allclose(totals.entropies, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("attention", "part"),
    [
        (np.eye(T)[np.zeros((5, T), int)], "fixed"),  # all look north
        (np.eye(T)[np.tile(np.arange(T), (5, 1))], "query"),  # at themselves
        # Each place has a column of its own, whoever asks.
        (np.eye(T)[np.repeat(np.arange(T)[:, None], T, axis=1)], "image"),
    ],
)
def test_parts_of_the_focus(attention, part):
    found = _focus(attention)
    assert found["focus"] == pytest.approx(1)
    assert found[part] == pytest.approx(1)
    assert found["azimuths"] == pytest.approx(1)


def test_even_attention_has_no_focus():
    found = _focus(np.full((4, T, T), 1 / T))
    assert found["azimuths"] == pytest.approx(T)
    for name in ("focus", "fixed", "query", "image"):
        assert found[name] == pytest.approx(0, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 6))
def test_parts_of_the_focus_are_never_negative_and_add_up(seed, sharpness):
    attention = _attention(seed, 4, 1, 1, sharpness=sharpness)[:, 0, 0]
    found = _focus(attention)
    parts = [found[name] for name in ("fixed", "query", "image")]
    assert min(parts) > -1e-9
    mean = scipy.stats.entropy(attention, axis=-1).mean()
    assert sum(parts) == pytest.approx(1 - mean / np.log(T), abs=1e-9)
    assert found["focus"] == pytest.approx(sum(parts))


@pytest.mark.parametrize("size", [7, 8])
def test_offsets_by_loops(size):
    own = _attention(2, 1, 1, 1, size)[0, 0, 0]
    expected = np.zeros(size)
    for token in range(size):
        for k in range(size):
            expected[k] += own[token, (token + k - size // 2) % size] / size
    np.testing.assert_allclose(offsets(own), expected)


def test_direction_of_attention_to_the_east():
    east = np.roll(np.eye(T), 2, axis=1)  # token t looks at t + 2
    profile = offsets(east)
    assert profile[T // 2 + 2] == pytest.approx(1)
    found = direction(profile)
    assert found == pytest.approx(
        {"own": 0, "neighbours": 0, "elsewhere": 1, "offset_degrees": 90}
    )
    # Across the cut in the south: the last azimuth's neighbour is the first.
    beside = direction(offsets(np.roll(np.eye(T), 1, axis=1)))
    assert beside["neighbours"] == pytest.approx(1)
    assert beside["offset_degrees"] == pytest.approx(45)


def test_even_direction_is_a_quarter_turn_away():
    found = even_direction(20)
    assert found["offset_degrees"] == pytest.approx(90)
    assert found["own"] == pytest.approx(0.05)
    assert found["neighbours"] == pytest.approx(0.1)
