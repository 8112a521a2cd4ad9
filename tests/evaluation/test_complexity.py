"""A model's cost: closed forms, TensorFlow's profiler, and what is kept."""

import dataclasses
import json
import math
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import mgtl_tf
from mgtl_tf.evaluation import complexity
from mgtl_tf.evaluation.complexity import (
    complexity_of,
    multiply_adds,
    stored_cost,
)
from mgtl_tf.utils.errors import UserError
from tests.models.published_size import published

TINY = mgtl_tf.ModelConfig(
    image_size=(16, 48),
    width_multiplier=1 / 16,
    poolings=4,
    channels=12,
    heads=2,
    recurrent_steps=2,
)
WIDTHS = [3, 64, 64, 128, 128, 256, 256, 256] + 6 * [512]


def vgg16(height, width):
    """Of one branch, from the published widths and SAME poolings."""
    total, pooled = 0, {2, 4, 7, 10}
    for place, (into, out) in enumerate(
        zip(WIDTHS[:-1], WIDTHS[1:], strict=True)
    ):
        if place in pooled:
            height, width = math.ceil(height / 2), math.ceil(width / 2)
        total += height * width * 9 * into * out
    return total


def mgtl_transformers(tokens=20, c=384, steps=6):
    """Of one view, after the backbone: shared map, CMI and GKST."""
    perceptron = tokens * 2 * 4 * c * c
    attention = tokens * 4 * c * c + 2 * tokens * tokens * c
    shared = tokens * 512 * c
    return shared + steps * (2 * perceptron + attention + perceptron)


def safa_head(cells=80, maps=8, channels=512):
    return maps * (2 * cells * (cells // 2) + cells * channels)


def test_a_transposed_convolution_counts_every_number_it_reads():
    layer = keras.layers.Conv2DTranspose(5, 4, 2, padding="same")
    layer.build((None, 6, 7, 3))
    assert multiply_adds(layer, (6, 7)) == 6 * 7 * 3 * 4 * 4 * 5


def counted(model, config):
    encoders = (model.encode_ground, model.encode_satellite)
    return [multiply_adds(e, config.image_size) for e in encoders]


def profiled(model, config):
    """Half of what TensorFlow's profiler counts in each view's graph.

    It knows convolutions and matrix products, but not the Einsum operation,
    which attention's two products of tokens are.
    """
    encoders = (model.encode_ground, model.encode_satellite)
    return [_profiled(e, config.image_size) for e in encoders]


def _profiled(encode, image_size):
    image = tf.TensorSpec((1, *image_size, 3), tf.float32)
    # A function's inner functions hide their operations from the profiler.
    with tf.Graph().as_default():
        traced = tf.function(encode, jit_compile=False, autograph=False)
        inner = traced.get_concrete_function(image).graph
    v1 = tf.compat.v1.profiler
    options = v1.ProfileOptionBuilder.float_operation()
    options.update(output="none", verbose=0)
    return _products(v1.profile(inner, cmd="op", options=options)) // 2


def _products(node):
    """Over a profile: a node's total holds those of its children."""
    own = node.total_float_ops - sum(c.total_float_ops for c in node.children)
    counted = (
        own if node.name.startswith(("Conv2D", "MatMul", "BatchMatMul")) else 0
    )
    return counted + sum(map(_products, node.children))


def token_products(config):
    """Q K^T and the weighted sum of V over all blocks of one view."""
    if config.system == "safa":
        return 0
    if config.system == "l2ltr":
        grid = [math.ceil(n / 16) for n in config.image_size]
        return (
            config.vit_blocks * 2 * (1 + math.prod(grid)) ** 2 * config.channels
        )
    tokens = math.ceil(config.image_size[1] / 2**config.poolings)
    return config.recurrent_steps * 2 * tokens**2 * config.channels


def test_vgg16_at_the_papers_size_by_hand():
    assert vgg16(112, 616) / 1e9 == pytest.approx(21.13, abs=0.005)
    assert vgg16(128, 512) / 1e9 == pytest.approx(20.04, abs=0.005)


@pytest.mark.parametrize(
    ("system", "branch", "pair"),
    [
        ("mgtl", vgg16(112, 616) + mgtl_transformers(), None),
        ("safa", vgg16(112, 616) + safa_head(), 42.3),
        ("l2ltr", None, 56.8),
    ],
)
def test_published_sizes(system, branch, pair):
    """Of a view, both of which are alike: closed forms, published figures."""
    model = published(system)
    found = multiply_adds(model.encode_ground, model.config.image_size)
    if branch is not None:
        assert found == branch
    if pair is not None:
        assert 2 * found / 1e9 == pytest.approx(pair, abs=0.06)


@pytest.mark.parametrize(
    "fields",
    [
        {"knowledge": "none", "recurrent_steps": 2},
        {"knowledge": "conv", "recurrent_steps": 1},
        {"recurrent_steps": 0},
        {"ffn": "none", "backbone_normalization": "batch"},
        {"system": "safa"},
        {"system": "l2ltr", "stem_blocks": (1, 2, 1), "vit_blocks": 2},
    ],
)
def test_small_forms_agree_with_the_profiler(fields):
    config = mgtl_tf.ModelConfig(**{**vars(TINY), **fields})
    model = mgtl_tf.build_model(config)
    found = counted(model, config)
    assert found[0] == found[1]
    expected = np.array(profiled(model, config)) + token_products(config)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_an_operation_without_a_rule_is_named():
    model = keras.Sequential([keras.layers.Conv3D(2, 3, padding="same")])
    with pytest.raises(UserError, match="multiply-adds of Conv3D"):
        multiply_adds(lambda images: model(images[None]), (4, 6))


def test_parts_descriptor_times_and_memory():
    cost = complexity_of(TINY, batch=3, repeats=2)
    c = 12
    perceptron = 2 * 4 * c * c + 5 * c
    step_cmi, step_gkst = 2 * perceptron, 4 * (c * c + c) + 2 * c + perceptron
    for view in ("ground", "satellite"):
        assert cost.parts[f"{view} CMI"] == 2 * step_cmi
        assert cost.parts[f"{view} GKST"] == 2 * step_gkst
        assert cost.parts[f"{view} norms"] == 3 * 2 * c
    assert cost.parts["shared map (MIFE)"] == 32 * c + c
    assert sum(cost.parts.values()) == cost.parameters
    assert cost.descriptor_bytes == 4 * 3 * c  # three azimuth tokens
    assert 0 < cost.one_seconds and 0 < cost.batch_seconds
    assert cost.batch == 3
    assert cost.peak_bytes is None or cost.peak_bytes > 50e6
    text = cost.text()
    assert f"{cost.parameters:,}" in text and "ms a panorama" in text


def test_measured_in_a_process_of_its_own_and_once(tmp_path):
    config = dataclasses.replace(TINY, recurrent_steps=0)
    found = stored_cost(config, tmp_path)
    assert found["parameters"] == mgtl_tf.build_model(config).count_params()
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text()) == found
    file.write_text(json.dumps({**found, "batch": 99}))
    assert stored_cost(config, tmp_path)["batch"] == 99


def test_a_killed_measurement_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(complexity, "complexity_of", _die)
    with pytest.raises(UserError, match="mgtl: its cost was not measured"):
        stored_cost(TINY, tmp_path)


def _die(config):
    os._exit(9)
