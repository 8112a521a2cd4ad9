"""Multiply-adds: closed forms, the profiler, and layers without a rule."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import mgtl_tf
from mgtl_tf.evaluation.complexity.walk import multiply_adds
from mgtl_tf.presets import PRESETS
from mgtl_tf.presets.systems import system_settings
from mgtl_tf.utils.errors import UserError

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


def counted(model, config):
    encoders = (model.encode_ground, model.encode_satellite)
    size = config.image_size
    found = [multiply_adds(model, e, size) for e in encoders]
    return [sum(of_layers.values()) for of_layers in found]


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
    """Against closed forms, the published figures and the profiler."""
    settings = system_settings("cvusa", system)
    config = PRESETS["cvusa"].replace(**settings).model
    model = mgtl_tf.build_model(config)
    found = counted(model, config)
    assert found[0] == found[1]
    if branch is not None:
        assert found[0] == branch
    if pair is not None:
        assert sum(found) / 1e9 == pytest.approx(pair, abs=0.06)
    expected = np.array(profiled(model, config)) + token_products(config)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize(
    "fields",
    [
        {"knowledge": "none", "recurrent_steps": 2},
        {"knowledge": "conv", "recurrent_steps": 1},
        {"recurrent_steps": 0},
        {"ffn": "none", "backbone_normalization": "batch"},
    ],
)
def test_every_ablation_agrees_with_the_profiler(fields):
    config = mgtl_tf.ModelConfig(
        **{
            "image_size": (16, 48),
            "width_multiplier": 1 / 16,
            "channels": 24,
            "heads": 2,
            "recurrent_steps": 1,
            **fields,
        }
    )
    model = mgtl_tf.build_model(config)
    found = counted(model, config)
    expected = np.array(profiled(model, config)) + token_products(config)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


class _Odd(keras.layers.Layer):
    """Has weights, multiplies with them, and says nothing of it."""

    def build(self, input_shape):
        self.table = self.add_weight(shape=(input_shape[-1], 5))

    def call(self, inputs):
        return inputs @ self.table


def test_a_layer_without_a_rule_is_named():
    inputs = keras.Input((4, 6, 3))
    model = keras.Model(inputs, _Odd(name="odd_one")(inputs))
    with pytest.raises(UserError, match="odd_one .*own_multiply_adds"):
        multiply_adds(model, model, (4, 6))


def test_counting_leaves_the_model_as_it_was():
    inputs = keras.Input((4, 6, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(7, 3)(inputs))
    layer = model.layers[-1]
    for _ in range(2):
        found = multiply_adds(model, model, (4, 6))
        assert found == {layer.path: 2 * 4 * 9 * 3 * 7}
    assert "call" not in vars(layer)
