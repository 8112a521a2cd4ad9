"""Losses against float64 NumPy written as loops, and closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.losses import (
    generative_loss,
    info_nce_loss,
    offset_loss,
    soft_margin_triplet_loss,
    total_loss,
)


def unit(rng, batch, size):
    x = rng.normal(size=(batch, size))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


def oracle(g, s, gamma=10.0, negatives=None, hardest=None, distance="squared"):
    """Eq. 7 in float64, one query after the other."""
    g, s = g.astype("float64"), s.astype("float64")
    terms = []
    for queries, gallery, turned in ((g, s, False), (s, g, True)):
        for i in range(len(g)):
            d = ((queries[i] - gallery) ** 2).sum(1)
            if distance == "euclidean":
                d = np.sqrt(d)
            mine = []
            for j in range(len(g)):
                place = (j, i) if turned else (i, j)
                if i != j and (negatives is None or negatives[place]):
                    mine.append(np.logaddexp(0.0, gamma * (d[i] - d[j])))
            mine.sort(reverse=True)
            terms += mine[:hardest]
    return sum(terms) / max(len(terms), 1)


def gradients(g, s, **kwargs):
    g, s = tf.Variable(g), tf.Variable(s)
    with tf.GradientTape() as tape:
        loss = soft_margin_triplet_loss(g, s, **kwargs)
    return float(loss), [d.numpy() for d in tape.gradient(loss, [g, s])]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 7),
    gamma=st.sampled_from([0.5, 10.0, 80.0]),
    masked=st.booleans(),
    hardest=st.sampled_from([None, 1, 2, 50]),
    distance=st.sampled_from(["squared", "euclidean"]),
)
def test_triplet_equals_loops(seed, batch, gamma, masked, hardest, distance):
    rng = np.random.default_rng(seed)
    g, s = unit(rng, batch, 5), unit(rng, batch, 5)
    mask = rng.random((batch, batch)) < 0.6 if masked else None
    loss = soft_margin_triplet_loss(g, s, gamma, mask, hardest, distance)
    wanted = oracle(g, s, gamma, mask, hardest, distance)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    np.testing.assert_allclose(float(loss), wanted, rtol=2e-5, atol=2e-6)


def test_collapsed_descriptors_cost_ln_2():
    same = np.tile(unit(np.random.default_rng(0), 1, 8), (6, 1))
    for distance in ("squared", "euclidean"):
        loss, (dg, ds) = gradients(same, same, distance=distance)
        assert loss == pytest.approx(np.log(2), abs=1e-6)
        assert np.isfinite(dg).all() and np.isfinite(ds).all()


def test_orthogonal_true_pairs_closed_form():
    eye = np.eye(4, dtype="float32")
    assert float(soft_margin_triplet_loss(eye, eye)) == pytest.approx(
        np.log1p(np.exp(-20.0)), rel=1e-4
    )
    euclidean = soft_margin_triplet_loss(eye, eye, distance="euclidean")
    assert float(euclidean) == pytest.approx(
        np.log1p(np.exp(-10 * np.sqrt(2))), rel=1e-4
    )


def test_opposite_descriptors_do_not_overflow():
    g = np.array([[1, 0], [-1, 0]], "float32")
    loss, (dg, _) = gradients(g, -g, gamma=1000.0)
    assert loss == pytest.approx(4000.0)
    assert np.isfinite(dg).all()


@pytest.mark.parametrize("distance", ["squared", "euclidean"])
@pytest.mark.parametrize("hardest", [None, 2])
def test_gradient_is_the_slope_on_the_sphere(distance, hardest):
    rng = np.random.default_rng(3)
    g, s = unit(rng, 5, 6), unit(rng, 5, 6)
    mask = rng.random((5, 5)) < 0.7
    move = rng.normal(size=g.shape)
    move -= (move * g).sum(1, keepdims=True) * g  # along the sphere
    kwargs = {"negatives": mask, "distance": distance}
    _, (dg, _) = gradients(g, s, hard_negatives_per_query=hardest, **kwargs)
    sides = [
        oracle(g + sign * 1e-5 * move, s, hardest=hardest, **kwargs)
        for sign in (1, -1)
    ]
    slope = (sides[0] - sides[1]) / 2e-5
    assert (dg * move).sum() == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("hardest", [None, 1, 3])
@pytest.mark.parametrize("distance", ["squared", "euclidean"])
def test_nothing_to_compare_is_zero_with_zero_gradients(hardest, distance):
    rng = np.random.default_rng(1)
    nothing = np.zeros((4, 4), bool)
    for batch, mask in ((1, None), (4, nothing), (4, np.eye(4, dtype=bool))):
        x = unit(rng, batch, 3)
        loss, (dg, ds) = gradients(
            x,
            x,
            negatives=mask,
            hard_negatives_per_query=hardest,
            distance=distance,
        )
        assert loss == 0 and not dg.any() and not ds.any()


def test_masked_pairs_get_no_gradient():
    rng = np.random.default_rng(2)
    g, s = unit(rng, 3, 4), unit(rng, 3, 4)
    mask = np.ones((3, 3), bool)
    mask[:, 2] = mask[2, :] = False
    _, (dg, ds) = gradients(g, s, negatives=mask)
    assert not dg[2].any() and not ds[2].any() and dg[:2].any()


def test_half_precision_inputs_are_computed_in_float32():
    rng = np.random.default_rng(4)
    g, s = (tf.cast(unit(rng, 6, 64), "bfloat16") for _ in range(2))
    wanted = soft_margin_triplet_loss(
        tf.cast(g, "float32"), tf.cast(s, "float32")
    )
    found = float(soft_margin_triplet_loss(g, s))
    # Computed in bfloat16 it would keep 8 bits: some 1e-3 apart.
    assert found == pytest.approx(float(wanted), rel=1e-5)


def test_traced_with_unknown_batch_equals_eager():
    rng = np.random.default_rng(5)
    g, s = unit(rng, 5, 4), unit(rng, 5, 4)
    mask = rng.random((5, 5)) < 0.5
    spec = tf.TensorSpec([None, 4], tf.float32)
    traced = tf.function(
        lambda g, s, m: soft_margin_triplet_loss(g, s, 10.0, m, 3),
        input_signature=[spec, spec, tf.TensorSpec([None, None], tf.bool)],
    )
    eager = soft_margin_triplet_loss(g, s, 10.0, mask, 3)
    assert float(traced(g, s, mask)) == pytest.approx(float(eager), rel=1e-6)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"distance": "cosine"}, "distance='cosine'.*squared"),
        ({"hard_negatives_per_query": 0}, "hard_negatives_per_query=0"),
        ({"negatives": np.ones((3, 2), bool)}, r"negatives \(3, 2\)"),
        ({"negatives": np.ones((1, 1), bool)}, r"negatives \(1, 1\)"),
    ],
)
def test_wrong_arguments_are_named(kwargs, words):
    x = np.ones((3, 2), "float32")
    with pytest.raises(ValueError, match=words):
        soft_margin_triplet_loss(x, x, **kwargs)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"ground \(3, 2\).*\(2, 2\)"):
        soft_margin_triplet_loss(np.ones((3, 2)), np.ones((2, 2)))


def tokens(rng, count=4, shape=(2, 5, 3)):
    return [rng.normal(size=shape).astype("float32") for _ in range(count)]


def test_generative_is_the_sum_of_mean_squared_errors():
    rng = np.random.default_rng(6)
    a, b = tokens(rng), tokens(rng)
    wanted = sum(
        ((x.astype("float64") - y) ** 2).mean()
        for x, y in zip(a, b, strict=True)
    )
    assert float(generative_loss(a, b)) == pytest.approx(wanted, rel=1e-6)
    assert float(generative_loss([], [])) == 0
    assert float(generative_loss(a, a)) == 0


def test_generative_gradients_and_detached_targets():
    rng = np.random.default_rng(7)
    a, b = (tf.Variable(tokens(rng, 1)[0]) for _ in range(2))
    wanted = 2 * (a - b).numpy() / a.numpy().size
    for detached in (True, False):
        with tf.GradientTape() as tape:
            loss = generative_loss([a], [b], detached)
        da, db = tape.gradient(loss, [a, b])
        np.testing.assert_allclose(da, wanted, rtol=1e-5)
        if detached:
            assert db is None
        else:
            np.testing.assert_allclose(db, -wanted, rtol=1e-5)


def test_generative_half_precision_and_mistakes():
    rng = np.random.default_rng(8)
    a, b = tokens(rng, 2), tokens(rng, 2)
    half = [tf.cast(x, "bfloat16") for x in a]
    assert generative_loss(half, b).dtype == tf.float32
    with pytest.raises(ValueError, match="2 tensors and targets 1"):
        generative_loss(a, b[:1])
    with pytest.raises(ValueError, match=r"generated\[1\].*\(2, 5, 2\)"):
        generative_loss([a[0], a[1][..., :2]], b)


def test_total_loss_is_the_weighted_sum():
    rng = np.random.default_rng(9)
    g, s = unit(rng, 4, 5), unit(rng, 4, 5)
    a, b = tokens(rng, 2), tokens(rng, 2)
    mask = rng.random((4, 4)) < 0.6
    outputs = {"ground": g, "satellite": s, "generated": a, "targets": b}
    generative = float(generative_loss(a, b))
    wanted = oracle(g, s) + 0.05 * generative
    assert float(total_loss(outputs)) == pytest.approx(wanted, rel=2e-5)
    wanted = oracle(g, s, 3.0, mask, 1) + 0.5 * generative
    found = total_loss(
        outputs, mask, 0.5, gamma=3.0, hard_negatives_per_query=1
    )
    assert float(found) == pytest.approx(wanted, rel=2e-5)
    found = total_loss(
        outputs, mask, 0.5, retrieval_loss=info_nce_loss, temperature=0.2
    )
    wanted = float(info_nce_loss(g, s, 0.2, negatives=mask)) + 0.5 * generative
    assert float(found) == pytest.approx(wanted, rel=1e-6)


def test_offset_loss_is_the_mean_squared_distance():
    found = np.float32([[0.5, 0.0], [0.0, -0.25]])
    truth = np.float32([[0.1, 0.3], [0.0, 0.25]])
    loss = float(offset_loss(found, truth))
    assert loss == pytest.approx((0.4**2 + 0.3**2 + 0.5**2) / 2, rel=1e-6)
    with pytest.raises(ValueError, match=r"must both be \[B, 2\]"):
        offset_loss(found, truth[:1])
