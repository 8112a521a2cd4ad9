"""Symmetric InfoNCE against SciPy's log-softmax, one query after another."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from mgtl_tf.losses import info_nce_loss


def unit(rng, batch, size):
    x = rng.normal(size=(batch, size))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


def oracle(g, s, temperature=0.07, smoothing=0.1, negatives=None):
    """Each query's cross-entropy over a list of its own candidates."""
    similarity = g.astype("float64") @ s.astype("float64").T
    if negatives is None:
        negatives = np.ones(similarity.shape, bool)
    directions = []
    for matrix, mask in ((similarity, negatives), (similarity.T, negatives.T)):
        losses = []
        for i in range(len(matrix)):
            wrong = [j for j in range(len(matrix)) if j != i and mask[i, j]]
            if not wrong:
                continue
            candidates = [i, *wrong]
            target = np.full(len(candidates), smoothing / len(candidates))
            target[0] += 1 - smoothing
            logits = matrix[i, candidates] / temperature
            losses.append(-(target * log_softmax(logits)).sum())
        directions.append(np.mean(losses) if losses else 0.0)
    return np.mean(directions)


def gradients(g, s, **kwargs):
    g, s = tf.Variable(g), tf.Variable(s)
    with tf.GradientTape() as tape:
        loss = info_nce_loss(g, s, **kwargs)
    return float(loss), [d.numpy() for d in tape.gradient(loss, [g, s])]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 7),
    temperature=st.sampled_from([0.01, 0.07, 1.0]),
    smoothing=st.sampled_from([0.0, 0.1, 0.9]),
    masked=st.booleans(),
)
def test_equals_scipy(seed, batch, temperature, smoothing, masked):
    rng = np.random.default_rng(seed)
    g, s = unit(rng, batch, 5), unit(rng, batch, 5)
    mask = rng.random((batch, batch)) < 0.6 if masked else None
    loss = info_nce_loss(g, s, temperature, smoothing, mask)
    wanted = oracle(g, s, temperature, smoothing, mask)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    np.testing.assert_allclose(float(loss), wanted, rtol=2e-5, atol=3e-6)


def test_closed_forms():
    same = np.tile(unit(np.random.default_rng(0), 1, 8), (6, 1))
    # All candidates alike: ln K, whatever the temperature and smoothing.
    assert float(info_nce_loss(same, same)) == pytest.approx(np.log(6))
    eye = np.eye(4, dtype="float32")
    assert float(info_nce_loss(eye, eye, 0.5, 0.0)) == pytest.approx(
        np.log1p(3 * np.exp(-2.0)), rel=1e-5
    )
    # Smoothing asks 0.3 / 4 of each of three wrong ones, 2 below the true.
    smoothed = np.log1p(3 * np.exp(-2.0)) + 3 * 0.3 / 4 * 2.0
    assert float(info_nce_loss(eye, eye, 0.5, 0.3)) == pytest.approx(
        smoothed, rel=1e-5
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("view", [0, 1])
def test_gradient_is_the_slope(smoothing, view):
    rng = np.random.default_rng(3)
    views = unit(rng, 5, 6), unit(rng, 5, 6)
    mask = rng.random((5, 5)) < 0.7
    move = rng.normal(size=views[0].shape)
    _, found = gradients(*views, label_smoothing=smoothing, negatives=mask)
    sides = []
    for sign in (1, -1):
        moved = [v.astype("float64") for v in views]
        moved[view] += sign * 1e-5 * move
        sides.append(oracle(*moved, 0.07, smoothing, mask))
    slope = (sides[0] - sides[1]) / 2e-5
    assert (found[view] * move).sum() == pytest.approx(slope, rel=1e-4)


def test_nothing_to_compare_is_zero_with_zero_gradients():
    rng = np.random.default_rng(1)
    nothing = np.zeros((4, 4), bool)
    for batch, mask in ((1, None), (4, nothing), (4, np.eye(4, dtype=bool))):
        g, s = unit(rng, batch, 3), unit(rng, batch, 3)
        loss, (dg, ds) = gradients(g, s, negatives=mask)
        assert loss == 0 and not dg.any() and not ds.any()


def test_places_left_out_change_nothing_and_get_no_gradient():
    rng = np.random.default_rng(2)
    g, s = unit(rng, 4, 5), unit(rng, 4, 5)
    mask = np.ones((4, 4), bool)
    mask[:, 3] = mask[3, :] = False
    loss, (dg, ds) = gradients(g, s, negatives=mask)
    assert not dg[3].any() and not ds[3].any() and dg[:3].any()
    alone, (dg_alone, _) = gradients(g[:3], s[:3])
    assert loss == pytest.approx(alone, rel=1e-6)
    np.testing.assert_allclose(dg[:3], dg_alone, rtol=1e-4, atol=1e-6)


def test_low_temperature_does_not_overflow():
    g = np.array([[1, 0], [-1, 0]], "float32")
    loss, (dg, _) = gradients(g, -g, temperature=1e-3, label_smoothing=0.0)
    assert loss == pytest.approx(2000.0)
    assert np.isfinite(dg).all()


def test_half_precision_inputs_are_computed_in_float32():
    rng = np.random.default_rng(4)
    g, s = (tf.cast(unit(rng, 6, 64), "bfloat16") for _ in range(2))
    wanted = info_nce_loss(tf.cast(g, "float32"), tf.cast(s, "float32"))
    found = float(info_nce_loss(g, s))
    # Computed in bfloat16 it would keep 8 bits: some 1e-3 apart.
    assert found == pytest.approx(float(wanted), rel=1e-5)


def test_traced_with_unknown_batch_equals_eager():
    rng = np.random.default_rng(5)
    g, s = unit(rng, 5, 4), unit(rng, 5, 4)
    mask = rng.random((5, 5)) < 0.5
    spec = tf.TensorSpec([None, 4], tf.float32)
    traced = tf.function(
        lambda g, s, m: info_nce_loss(g, s, negatives=m),
        input_signature=[spec, spec, tf.TensorSpec([None, None], tf.bool)],
    )
    eager = info_nce_loss(g, s, negatives=mask)
    assert float(traced(g, s, mask)) == pytest.approx(float(eager), rel=1e-6)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"temperature": 0.0}, r"temperature=0\.0"),
        ({"label_smoothing": 1.0}, r"label_smoothing=1\.0"),
        ({"negatives": np.ones((3, 2), bool)}, r"negatives \(3, 2\)"),
    ],
)
def test_wrong_arguments_are_named(kwargs, words):
    x = np.ones((3, 2), "float32")
    with pytest.raises(ValueError, match=words):
        info_nce_loss(x, x, **kwargs)
    with pytest.raises(ValueError, match=r"ground \(3, 2\).*\(2, 2\)"):
        info_nce_loss(x, x[:2])
