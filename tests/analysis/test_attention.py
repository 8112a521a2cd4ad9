"""Attention's measures: closed forms, SciPy, loops; their parts add up."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.analysis.attention import (
    attention_figures,
    direction,
    offsets,
)

T = 8


def _attention(seed, places=5, size=T, sharpness=2.0):
    logits = np.random.default_rng(seed).normal(
        scale=sharpness, size=(places, size, size)
    )
    return scipy.special.softmax(logits, axis=-1)


def _focus(attention):
    """Of places' maps [n, T, T] of one head, which is the mean of heads."""
    (step,) = attention_figures(attention[None, :, None])
    names = ("azimuths", "focus", "fixed", "query", "image")
    assert step["head_focus"] == [step["focus"]]
    return {name: step[name] for name in names}


@pytest.mark.parametrize(
    ("attention", "part"),
    [
        (np.eye(T)[np.zeros((5, T), int)], "fixed"),  # all look north
        (np.eye(T)[np.tile(np.arange(T), (5, 1))], "query"),  # at themselves
        # Each place has a column of its own, whatever the query.
        (np.eye(T)[np.repeat(np.arange(T)[:, None], T, axis=1)], "image"),
        (np.full((4, T, T), 1 / T), None),  # uniform
    ],
)
def test_parts_of_the_focus(attention, part):
    found = _focus(attention)
    assert found.pop("azimuths") == pytest.approx(1 if part else T)
    expected = dict.fromkeys(("focus", "fixed", "query", "image"), 0)
    if part:
        expected |= {"focus": 1, part: 1}
    assert found == pytest.approx(expected, abs=1e-9)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(0, 6))
def test_parts_of_the_focus_are_never_negative_and_add_up(seed, sharpness):
    attention = _attention(seed, 4, sharpness=sharpness)
    found = _focus(attention)
    parts = [found[name] for name in ("fixed", "query", "image")]
    assert min(parts) > -1e-9
    mean = scipy.stats.entropy(attention, axis=-1).mean()
    assert sum(parts) == pytest.approx(1 - mean / np.log(T), abs=1e-9)
    assert found["focus"] == pytest.approx(sum(parts))


@pytest.mark.parametrize("size", [7, 8])
def test_offsets_by_loops(size):
    own = _attention(2, 1, size=size)[0]
    expected = np.zeros(size)
    for token in range(size):
        for k in range(size):
            expected[k] += own[token, (token + k - size // 2) % size] / size
    np.testing.assert_allclose(offsets(own), expected)


@pytest.mark.parametrize(
    ("turned", "own", "neighbours", "degrees"),
    [
        (2, 0, 0, 90),  # token t attends to t + 2: east of it
        # Across the cut in the south: the last azimuth's neighbour is the
        # first.
        (1, 0, 1, 45),
        (None, 1 / T, 2 / T, 90),  # uniform
    ],
)
def test_direction_of_attention(turned, own, neighbours, degrees):
    uniform = np.full((T, T), 1 / T)
    maps = uniform if turned is None else np.roll(np.eye(T), turned, axis=1)
    profile = offsets(maps)
    if turned is not None:
        assert profile[T // 2 + turned] == pytest.approx(1)
    assert direction(profile) == pytest.approx(
        {"own": own, "neighbours": neighbours, "offset_degrees": degrees}
    )
