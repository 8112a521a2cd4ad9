"""Layers against NumPy and SciPy written from the paper's equations."""

import keras
import numpy as np
import pytest
from keras import ops

from mgtl_tf.layers.cross_modal_interaction import CrossModalInteraction
from mgtl_tf.layers.knowledge_supported_transformer import (
    KnowledgeSupportedTransformer,
)
from mgtl_tf.layers.multi_head_attention import multi_head_attention
from mgtl_tf.layers.positional_encoding import sinusoids
from mgtl_tf.layers.vgg16 import CAFFE_MEANS_BGR, VGG16Features
from tests.numpy_layers import attend, norm, perceptron, randomise
from tests.processor import needs_bfloat16


def test_sinusoids_by_hand():
    table = sinusoids(3, 4)
    expected = [
        [np.sin(t), np.cos(t), np.sin(t / 100), np.cos(t / 100)]
        for t in range(3)
    ]
    np.testing.assert_allclose(table, expected, atol=1e-7)
    with pytest.raises(ValueError, match="channels=3"):
        sinusoids(2, 3)


@pytest.mark.parametrize("ffn", ["mlp", "none"])
def test_gkst_is_equations_4_and_5(ffn):
    random = np.random.default_rng(1)
    heads, size, positions, sources = 3, 4, 5, 7
    channels = heads * size
    layer = KnowledgeSupportedTransformer(heads=heads, ffn=ffn, mlp_ratio=2)
    layer.build((None, positions, channels))
    randomise(layer)
    tokens = random.normal(size=(2, positions, channels))
    knowledge = random.normal(size=(2, sources, channels))

    updated = attend(layer.attention, tokens, knowledge)[0] + tokens
    tail = norm(updated, layer.norm)
    if ffn == "mlp":
        tail = perceptron(tail, layer.mlp)
    result = ops.convert_to_numpy(
        layer(tokens.astype("float32"), knowledge.astype("float32"))
    )
    np.testing.assert_allclose(result, updated + tail, atol=1e-4)


def test_gkst_starts_as_the_identity_with_zero_residuals():
    layer = KnowledgeSupportedTransformer(heads=2, residual_init="zeros")
    tokens = np.random.default_rng(2).normal(size=(2, 3, 4)).astype("float32")
    np.testing.assert_array_equal(layer(tokens, 5 * tokens), tokens)


def test_gkst_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="heads=5"):
        KnowledgeSupportedTransformer(heads=5)(
            np.zeros((1, 2, 12), "float32"), np.zeros((1, 2, 12), "float32")
        )


@needs_bfloat16
def test_attention_weights_are_float32_and_sum_to_one():
    layer = KnowledgeSupportedTransformer(heads=2, dtype="mixed_bfloat16")
    tokens = np.random.default_rng(3).normal(size=(2, 6, 8)).astype("float32")
    layer(tokens, tokens)
    weights = layer.attention_weights(
        ops.cast(tokens, "bfloat16"), ops.cast(tokens, "bfloat16")
    )
    assert weights.dtype == "float32"
    np.testing.assert_allclose(ops.sum(weights, -1), 1, atol=1e-6)


def test_keras_attention_has_the_parameters_of_table_2():
    layer = multi_head_attention((None, 20, 384), 6, "glorot", "float32")
    assert layer.count_params() == 4 * (384 * 384 + 384)
    # Glorot's bound for a map of 384 to 384, although its kernel has 3 axes.
    bound = np.sqrt(6 / (384 + 384))
    for layer_map in (layer.query_dense, layer.key_dense, layer.output_dense):
        assert 0.99 * bound < np.abs(layer_map.kernel).max() <= bound


@needs_bfloat16
def test_softmax_is_taken_in_float32_under_bfloat16():
    """A sum of 4,096 ones in bfloat16 would stop at 256."""
    layer = multi_head_attention((None, 1, 1), 1, "glorot", "mixed_bfloat16")
    for weight in layer.weights:
        weight.assign(np.full(weight.shape, weight.path.endswith("kernel")))
    result = layer(
        np.ones((1, 1, 1), "float32"), np.ones((1, 4096, 1), "float32")
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(result, "float32")), 1, atol=0.01
    )


def test_cmi_is_encoder_then_decoder_of_two_maps_each():
    random = np.random.default_rng(4)
    layer = CrossModalInteraction(ratio=2)
    layer.build((None, 3, 6))
    randomise(layer)
    tokens = random.normal(size=(2, 3, 6))
    expected = perceptron(perceptron(tokens, layer.encoder), layer.decoder)
    result = ops.convert_to_numpy(layer(tokens.astype("float32")))
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_naive_generator_sees_only_four_neighbours_on_each_side():
    # Four convolutions of three azimuths reach four to either side.
    layer = CrossModalInteraction(ratio=1, local=True)
    tokens = np.random.default_rng(5).normal(size=(1, 15, 4)).astype("float32")
    before = ops.convert_to_numpy(layer(tokens))
    tokens[0, 7] += 1
    moved = np.abs(ops.convert_to_numpy(layer(tokens)) - before).max(-1)[0]
    assert (moved > 0).tolist() == [3 <= t <= 11 for t in range(15)]


def test_vgg16_equals_keras_own_where_poolings_agree():
    """At 64 x 64 SAME and VALID pooling are one."""
    ours = VGG16Features(dropout=0.2)
    ours.build((None, 64, 64, 3))
    theirs = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    for convolution in ours.convolutions:
        source = theirs.get_layer(convolution.name)
        convolution.set_weights(source.get_weights())
    images = np.random.default_rng(6).uniform(0, 255, (2, 64, 64, 3))
    prepared = images[..., ::-1] - np.array(CAFFE_MEANS_BGR)
    expected = ops.convert_to_numpy(theirs(prepared.astype("float32")))
    result = ops.convert_to_numpy(ours(images.astype("float32")))
    np.testing.assert_allclose(
        result, expected, atol=2e-3 * np.abs(expected).max()
    )


@pytest.mark.parametrize(
    ("size", "poolings", "expected"),
    [((112, 616), 5, (4, 20)), ((32, 160), 3, (4, 20)), ((7, 9), 0, (7, 9))],
)
def test_vgg16_sizes_round_up(size, poolings, expected):
    layer = VGG16Features(width_multiplier=1 / 64, poolings=poolings)
    layer.build((None, *size, 3))
    shape = layer.compute_output_shape((None, *size, 3))
    assert shape == (None, *expected, 8)
