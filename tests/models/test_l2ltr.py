"""L2LTR: its published size, its blocks and stem against NumPy, its weights."""

import dataclasses

import keras
import numpy as np
import pytest
import scipy.stats

import mgtl_tf
from mgtl_tf.layers.trunks.hybrid_stem import HybridStem
from mgtl_tf.layers.trunks.residual_unit import ResidualUnit
from mgtl_tf.layers.trunks.standardized_conv import StandardizedConv2D
from mgtl_tf.layers.vit.class_token import ClassToken
from mgtl_tf.layers.vit.layer_to_layer_block import LayerToLayerBlock
from mgtl_tf.presets import load_preset
from tests.models.published_size import published
from tests.numpy_layers import attend, norm, perceptron, randomise
from tests.processor import needs_bfloat16

SMALL = mgtl_tf.ModelConfig(
    system="l2ltr",
    image_size=(16, 48),  # 1 x 3 cells
    width_multiplier=1 / 16,
    stem_blocks=(1, 2, 1),
    vit_blocks=3,
    channels=12,
    heads=3,
    mlp_ratio=2,
)


def test_parameters_as_published():
    """Part by part, as the sum that gives the paper's 195.9M (Table 3)."""
    model = published("l2ltr")
    perceptron = 768 * 3072 + 3072 + 3072 * 768 + 768
    block = 4 * (768 * 768 + 768) + 3 * 2 * 768 + perceptron
    assert block == 7_089_408
    for network in (model.ground, model.satellite):
        assert network.grid == (8, 32)
        assert network.features.count_params() == 11_894_848
        assert network.embedding.count_params() == 787_200
        assert network.placed.count_params() == 768 + 257 * 768
        assert [b.count_params() for b in network.blocks] == 12 * [block]
        assert network.norm.count_params() == 1_536


def test_recipe_as_published():
    train = load_preset("cvusa", system="l2ltr").train
    assert (train.optimizer, train.learning_rate) == ("adamw", 1e-4)
    assert (train.adam_epsilon, train.weight_decay) == (1e-6, 0.03)
    assert (train.clip_norm, train.schedule) == (1.0, "cosine")
    assert (train.batch_size, train.epochs) == (32, 200)
    # 1,110 steps an epoch of 35,532 pairs, of which 500 warm up.
    assert train.epochs * (35_532 // 32) * train.warmup == pytest.approx(500)
    assert (train.loss, train.gamma, train.distance) == (
        "triplet",
        10.0,
        "squared",
    )


def _block(tokens, previous, layer):
    """Q and V of the block's own input, K of the input before."""
    own = norm(tokens, layer.norm)
    key = norm(previous, layer.key_norm)
    tokens = tokens + attend(layer.attention, own, own, key)[0]
    return tokens + perceptron(norm(tokens, layer.mlp_norm), layer.mlp)


def test_block_takes_keys_from_the_layer_before():
    layer = LayerToLayerBlock(heads=3, mlp_ratio=2)
    layer.build((None, 5, 12))
    randomise(layer)
    random = np.random.default_rng(1)
    tokens, previous = random.normal(size=(2, 2, 5, 12))
    found = layer(np.float32(tokens), np.float32(previous))
    expected = _block(tokens, previous, layer)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_class_token_stands_first_and_has_a_place():
    layer = ClassToken()
    layer.build((None, 3, 4))
    randomise(layer)
    tokens = np.random.default_rng(1).normal(size=(2, 3, 4))
    expected = np.zeros((2, 4, 4))
    expected[:, :1], expected[:, 1:] = np.asarray(layer.token), tokens
    expected += np.asarray(layer.positions)
    found = layer(np.float32(tokens))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("system", ["l2ltr", "transgeo"])
def test_positions_start_as_large_as_asked(system):
    config = load_preset("procedural", system=system, position_deviation=0.5)
    model = mgtl_tf.build_model(config.model)
    # Keras draws again what lies further out than two deviations.
    expected = 0.5 * scipy.stats.truncnorm(-2, 2).std()
    starts = [w for w in model.weights if w.path.endswith("/positions")]
    assert len(starts) == 2
    for positions in starts:
        np.testing.assert_allclose(np.std(positions), expected, rtol=0.05)


def test_where_positions_start_changes_no_digest():
    other = dataclasses.replace(SMALL, position_deviation=0.5)
    assert other.identity() == SMALL.identity()


def _grouped(x, groups):
    """[..., h, w, C], every group of channels normalised over all cells."""
    split = x.reshape(*x.shape[:3], groups, -1)
    mean = split.mean((1, 2, 4), keepdims=True)
    variance = split.var((1, 2, 4), keepdims=True)
    return ((split - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)


def _standardized(kernel):
    centred = kernel - kernel.mean((0, 1, 2))
    return centred / np.sqrt(kernel.var((0, 1, 2)) + 1e-5)


@pytest.mark.parametrize(
    "policy", ["float32", pytest.param("mixed_bfloat16", marks=needs_bfloat16)]
)
def test_kernels_are_standardised_before_they_are_rounded(policy):
    """Weights near 1 differ by less than bfloat16 can say there (2^-7)."""
    random = np.random.default_rng(0)
    kernel = 1 + 0.004 * random.standard_normal((1, 1, 6, 8))
    inputs = random.standard_normal((2, 3, 4, 6)).astype("float32")
    layer = StandardizedConv2D(8, 1, activation="relu", dtype=policy)
    layer.build(inputs.shape)
    layer.kernel.assign(kernel)
    mapped = inputs @ _standardized(kernel)[0, 0]
    expected = np.maximum(_grouped(mapped, 4), 0)
    result = np.float32(keras.ops.cast(layer(inputs), "float32"))
    assert np.abs(result - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize("per_channel", [False, True])
def test_convolution_is_standardised_then_normalised(per_channel):
    layer = StandardizedConv2D(8, 3, norm_per_channel=per_channel)
    layer.build((None, 6, 7, 5))
    randomise(layer)
    image = np.random.default_rng(1).normal(size=(1, 6, 7, 5))
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    kernel = _standardized(np.asarray(layer.kernel, np.float64))
    mapped = np.einsum("bhwcij,ijcd->bhwd", patches, kernel)
    expected = _grouped(mapped, 8 if per_channel else 4)
    expected = expected * layer.norm.gamma + layer.norm.beta
    np.testing.assert_allclose(layer(np.float32(image)), expected, atol=1e-3)
    assert layer.bias is None


def test_residual_unit_joins_road_and_shortcut():
    """32 groups on the road, one a channel on the projection."""
    layer = ResidualUnit(width=64, stride=2)
    layer.build((None, 4, 6, 16))
    road = (layer.conv1, layer.conv2, layer.conv3)
    assert [convolution.norm.groups for convolution in road] == [32] * 3
    assert layer.shortcut.norm.groups == 256
    image = np.float32(np.random.default_rng(1).normal(size=(1, 4, 6, 16)))
    hidden = image
    for convolution in road:
        hidden = np.asarray(convolution(hidden))
    expected = np.maximum(
        hidden + np.asarray(layer.shortcut(image[:, ::2, ::2])), 0
    )
    np.testing.assert_allclose(layer(image), expected, atol=1e-5)
    assert hidden.min() < 0 <= np.min(layer.conv1(image))


def test_stem_scales_pixels_as_its_weights_expect():
    stem = HybridStem((1, 1, 1), 1 / 16)
    stem.build((None, 16, 32, 3))
    seen = {}
    stem.root.call = lambda images: seen.setdefault("images", images)
    colour = np.array([255.0, 0.0, 51.0])
    with pytest.raises(Exception):  # noqa: B017 - the norm gets no features
        stem(np.broadcast_to(colour, (1, 16, 32, 3)).astype("float32"))
    mean, spread = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = (np.array([1.0, 0.0, 0.2]) - mean) / spread
    np.testing.assert_allclose(seen["images"][0, 0, 0], expected, rtol=1e-5)


def test_network_from_tokens_to_descriptor():
    """Stem and embedding apart: the blocks' wiring, end to end."""
    model = mgtl_tf.build_model(SMALL)
    network = model.ground
    for part in (network.placed, *network.blocks, network.norm):
        randomise(part, seed=4)
    images = np.random.default_rng(1).uniform(0, 255, (2, 16, 48, 3))
    features = np.asarray(
        network.embedding(network.features(images)), np.float64
    )
    assert features.shape == (2, 1, 3, 12)
    cells = np.asarray(features, np.float64).reshape(2, 3, 12)
    first = np.broadcast_to(np.asarray(network.placed.token), (2, 1, 12))
    inputs = [np.concatenate([first, cells], 1) + network.placed.positions]
    inputs[0] = np.asarray(inputs[0], np.float64)
    for number, block in enumerate(network.blocks):
        before = inputs[max(0, number - 1)]
        inputs.append(_block(inputs[number], before, block))
    token = norm(inputs[-1], network.norm)[:, 0]
    expected = token / np.linalg.norm(token, axis=1, keepdims=True)
    found = model.encode_ground(images)
    np.testing.assert_allclose(found, expected, atol=1e-4)
