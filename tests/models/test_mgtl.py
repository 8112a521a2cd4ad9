"""MGTL: the paper's parameter counts, independence, ablations."""

import numpy as np
import pytest

import mgtl_tf
from tests.models.published_size import published
from tests.numpy_layers import attend, norm, perceptron

TINY = {
    "image_size": (16, 40),
    "width_multiplier": 1 / 32,
    "poolings": 2,
    "channels": 12,
    "heads": 3,
    "recurrent_steps": 2,
}


def _tiny(**fields):
    return mgtl_tf.build_model(mgtl_tf.ModelConfig(**{**TINY, **fields}))


def _images(seed, batch=2):
    random = np.random.default_rng(seed)
    return random.uniform(0, 255, (batch, 16, 40, 3)).astype("float32")


# Table 2: 29.42M, 50.92M, 79.27M, cut after two decimals.
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"recurrent_steps": 0}, 29_429_376),
        ({"knowledge": "none"}, 50_921_472),
        ({}, 79_279_104),
    ],
)
def test_parameters_of_table_2(fields, expected):
    model = published("mgtl", **fields)
    count = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert count == expected


def test_every_step_adds_the_same_parameters():
    """R7 to R10 by hand: per step two GKST, two CMI and two norms."""
    c = 384
    perceptron = 2 * 4 * c * c + 4 * c + c
    gkst = 4 * (c * c + c) + 2 * c + perceptron
    per_step = 2 * (gkst + 2 * perceptron + 2 * c)
    backbone_and_map = 29_429_376 + 512 * c + c
    assert published("mgtl", recurrent_steps=3).count_params() == (
        backbone_and_map + 3 * per_step + 2 * 2 * c
    )


@pytest.mark.parametrize(
    ("fields", "dimension", "generated"),
    [
        ({}, 10 * 12, 4),
        ({"knowledge": "none"}, 10 * 12, 0),
        ({"knowledge": "conv"}, 10 * 12, 4),
        ({"ffn": "none"}, 10 * 12, 4),
        ({"residual_init": "zeros"}, 10 * 12, 4),
        ({"recurrent_steps": 0}, 10 * 16, 0),
        ({"backbone_normalization": "batch"}, 10 * 12, 4),
    ],
)
def test_outputs_of_every_ablation(fields, dimension, generated):
    model = _tiny(**fields)
    outputs = model(
        {"ground": _images(0), "satellite": _images(1)}, training=True
    )
    for view in ("ground", "satellite"):
        assert tuple(outputs[view].shape) == (2, dimension)
        norms = np.linalg.norm(outputs[view], axis=1)
        np.testing.assert_allclose(norms, 1, atol=1e-5)
    assert len(outputs["generated"]) == len(outputs["targets"]) == generated
    traced = model.trace(_images(0), "ground")
    assert len(traced) == model.config.recurrent_steps
    for knowledge, target in zip(
        outputs["generated"], outputs["targets"], strict=True
    ):
        assert tuple(knowledge.shape) == tuple(target.shape) == (2, 10, 12)


def test_targets_belong_to_the_other_view():
    """L_G comes from the satellite and should equal ground tokens (R16)."""
    model = _tiny()
    inputs = {"ground": _images(0), "satellite": _images(1)}
    before = model(inputs)
    after = model({**inputs, "satellite": _images(2)})

    def moved(name):
        return [
            not np.array_equal(a, b)
            for a, b in zip(before[name], after[name], strict=True)
        ]

    assert moved("generated") == [True, True, False, False]
    assert moved("targets") == [False, False, True, True]


def test_turning_the_panorama_matters():
    """Positions keep the azimuth (R6, R11)."""
    model = _tiny()
    ground = _images(0)
    turned = np.roll(ground, 20, axis=2)
    difference = model.encode_ground(ground) - model.encode_ground(turned)
    assert np.abs(difference).max() > 1e-3


def _trace_by_hand(model, images, view):
    """Eq. 2 to 6, R8 to R11 in NumPy, from the backbone's tokens on."""
    tokens = np.asarray(model.features(images, view=view), "float64")
    positions, channels = tokens.shape[1:]
    for t in range(positions):
        for k in range(0, channels, 2):
            angle = t / 10000 ** (k / channels)
            tokens[:, t, k] += np.sin(angle)
            tokens[:, t, k + 1] += np.cos(angle)
    for step in getattr(model, f"{view}_steps"):
        block, generator = step.transformer, step.generator
        own = knowledge = norm(tokens, step.norm)
        if generator is not None:
            knowledge = perceptron(own, generator.encoder)
            knowledge = perceptron(knowledge, generator.decoder)
        attended, attention = attend(block.attention, own, knowledge)
        updated = attended + own
        tokens = updated + perceptron(norm(updated, block.norm), block.mlp)
        flat = norm(tokens, getattr(model, f"{view}_norm"))
        flat = flat.reshape(len(tokens), -1)
        descriptor = flat / np.linalg.norm(flat, axis=1, keepdims=True)
        yield {
            "tokens": own,
            "knowledge": knowledge,
            "attention": attention,
            "descriptor": descriptor,
        }


@pytest.mark.parametrize("knowledge", ["cmi", "none"])
@pytest.mark.parametrize("view", ["ground", "satellite"])
def test_trace_is_the_equations_step_by_step(knowledge, view):
    model = _tiny(knowledge=knowledge, recurrent_steps=3)
    random = np.random.default_rng(8)
    # Also norms and biases, which begin as ones and zeros.
    model.set_weights(
        [w + 0.2 * random.normal(size=w.shape) for w in model.get_weights()]
    )
    images = _images(3)
    traced = model.trace(images, view)
    expected = list(_trace_by_hand(model, images, view))
    assert len(traced) == len(expected) == 3
    for step, by_hand in zip(traced, expected, strict=True):
        assert step["attention"].shape == (2, 3, 10, 10)
        for name, value in by_hand.items():
            np.testing.assert_allclose(step[name], value, atol=2e-4)
    encode = getattr(model, f"encode_{view}")
    np.testing.assert_allclose(
        traced[-1]["descriptor"], encode(images), atol=1e-6
    )
