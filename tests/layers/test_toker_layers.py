"""The layers of Toker et al.: sizes, parameters, blocks by hand."""

import numpy as np
import pytest
from keras import ops

from mgtl_tf.layers.spatial_maps import SpatialMaps
from mgtl_tf.layers.trunks.basic_block import BasicBlock
from mgtl_tf.layers.trunks.generator_blocks import (
    DownBlock,
    InstanceResidual,
    UpBlock,
)
from mgtl_tf.layers.trunks.generator_encoder import GeneratorEncoder
from mgtl_tf.layers.trunks.non_local_attention import NonLocalAttention
from mgtl_tf.layers.trunks.patch_discriminator import PatchDiscriminator
from mgtl_tf.layers.trunks.resnet34 import ResNet34Features
from mgtl_tf.layers.trunks.street_view_decoder import StreetViewDecoder
from tests.models.published_size import shapes_alone
from tests.numpy_layers import randomise

STATES = ("direction", "moving_mean", "moving_variance")


IMAGE, MAP = (None, 112, 616, 3), (None, 14, 77, 256)


@pytest.mark.parametrize(
    ("kind", "count", "shape", "output"),
    [
        (ResNet34Features, 8_170_304, IMAGE, MAP),
        (GeneratorEncoder, 8_298_368, IMAGE, MAP),
        (StreetViewDecoder, 1_209_540, MAP, IMAGE),
        # Of an aerial image and a street view: patches of 70 x 70 pixels.
        (PatchDiscriminator, 2_788_290, (*IMAGE[:3], 6), (None, 12, 75, 1)),
    ],
)
def test_published_parameters_and_map(kind, count, shape, output):
    layer = kind()
    with shapes_alone():
        layer.build(shape)
    weights = [w for w in layer.weights if not w.path.endswith(STATES)]
    assert sum(int(np.prod(w.shape)) for w in weights) == count
    assert layer.compute_output_shape(shape) == output


def _maps(channels=4):
    random = np.random.default_rng(0)
    return random.normal(size=(2, 6, 8, channels)).astype("float32")


def _convolved(maps, layer):
    """By Keras' own convolution, of a kernel that is tested elsewhere."""
    side = layer.kernel_size[0] // 2
    around = [(0, 0), (side, side), (side, side), (0, 0)]
    padded = np.pad(maps, around, "reflect")
    found = ops.conv(padded, layer.normalized_kernel(), padding="valid")
    return np.asarray(found) + np.asarray(layer.bias)


def test_a_down_block_halves_by_means():
    layer = DownBlock(6)
    layer.build((None, 6, 8, 4))
    randomise(layer)
    relu = lambda x: np.maximum(x, 0)  # noqa: E731
    found = _convolved(relu(_maps()), layer.conv1)
    found = _convolved(relu(found), layer.conv2)
    found = found + _convolved(_maps(), layer.shortcut)
    wanted = found.reshape(2, 3, 2, 4, 2, 6).mean((2, 4))
    np.testing.assert_allclose(layer(_maps()), wanted, atol=1e-4)


def test_a_residual_block_normalises_each_image_and_has_no_last_relu():
    layer = InstanceResidual()
    layer.build((None, 6, 8, 4))
    randomise(layer)
    found = _normed(_convolved(_maps(), layer.conv1), layer.norm1)
    found = _convolved(np.maximum(found, 0), layer.conv2)
    wanted = _normed(found, layer.norm2) + _maps()
    np.testing.assert_allclose(layer(_maps()), wanted, atol=1e-4)


def _normed(maps, layer):
    mean, variance = (f(maps, (1, 2), keepdims=True) for f in (np.mean, np.var))
    scaled = (maps - mean) / np.sqrt(variance + 1e-5)
    return scaled * np.asarray(layer.gamma) + np.asarray(layer.beta)


def test_an_up_block_repeats_cells_before_it_convolves():
    layer = UpBlock(6)
    layer.build((None, 6, 8, 4))
    randomise(layer)
    twice = lambda x: x.repeat(2, axis=1).repeat(2, axis=2)  # noqa: E731
    found = np.maximum(_normed(_maps(), layer.norm1), 0)
    found = _normed(_convolved(twice(found), layer.conv1), layer.norm2)
    found = _convolved(np.maximum(found, 0), layer.conv2)
    wanted = found + _convolved(twice(_maps()), layer.shortcut)
    np.testing.assert_allclose(layer(_maps()), wanted, atol=1e-4)


def test_attention_reads_maxima_of_cells_and_begins_as_the_identity():
    layer, maps = NonLocalAttention(), _maps(8)
    layer.build(maps.shape)
    np.testing.assert_array_equal(layer(maps), maps)
    layer.gamma.assign(0.7)
    query, key, value = (
        maps.astype("f8") @ np.asarray(one.normalized_kernel(), "f8")[0, 0]
        for one in (layer.query, layer.key, layer.value)
    )
    halved = lambda x: x.reshape(2, 3, 2, 4, 2, -1).max((2, 4))  # noqa: E731
    scores = np.einsum("bijc,bklc->bijkl", query, halved(key))
    shares = np.exp(scores) / np.exp(scores).sum((3, 4), keepdims=True)
    found = np.einsum("bijkl,bklc->bijc", shares, halved(value))
    out = np.asarray(layer.output_map.normalized_kernel(), "f8")[0, 0]
    np.testing.assert_allclose(layer(maps), maps + 0.7 * found @ out, atol=1e-4)


def test_the_discriminators_ends_are_plain_and_patches_apart_do_not_meet():
    """But through the attention, which begins as the identity."""
    layer = PatchDiscriminator(1 / 16)
    images = np.zeros((1, 32, 128, 6), "float32")
    layer(images)
    kinds = [type(one).__name__ for one in layer.convolutions]
    assert kinds == ["Conv2D", *["SpectralConv2D"] * 3, "Conv2D"]
    randomise(layer)
    layer.attention.gamma.assign(0.0)
    before = np.asarray(layer(images))
    images[:, :, :8] = 1.0
    moved = np.abs(np.asarray(layer(images)) - before).max((0, 1, 3))
    # A patch begins at every eighth column; the first at column -23.
    near = [8 * column - 23 < 8 for column in range(len(moved))]
    assert (moved > 0).tolist() == near


def test_a_basic_block_pads_all_sides_alike():
    """A kernel that only looks up and left sees zeros there, as PyTorch's."""
    layer = BasicBlock(4, stride=2)
    layer.build((None, 6, 8, 4))
    kernel = np.zeros((3, 3, 4, 4))
    kernel[0, 0] = np.eye(4)
    layer.conv1.convolution.kernel.assign(kernel)
    found = np.asarray(layer.conv1.convolution.kernel)
    assert found[0, 0, 0, 0] == 1
    seen = np.asarray(layer.conv1(_maps()))
    assert np.all(seen[:, 0] == 0) and np.all(seen[:, :, 0] == 0)
    scale = np.sqrt(1 + 1e-5)
    wanted = _maps()[:, 1:4:2, 1:6:2] / scale
    np.testing.assert_allclose(seen[:, 1:, 1:], wanted, rtol=1e-5)


def test_salience_can_be_the_maximum():
    layer = SpatialMaps(2, "max")
    maps = _maps()
    found = ops.convert_to_numpy(layer(maps))
    flat = maps.reshape(2, 48, 4).astype("f8")
    first, second = (np.asarray(w, "f8") for w in (layer.first, layer.second))
    for m in range(2):
        hidden = (
            flat.max(-1) @ first[:, :, m] + np.asarray(layer.first_bias)[:, m]
        )
        weight = hidden @ second[:, :, m] + np.asarray(layer.second_bias)[:, m]
        wanted = np.einsum("bi,bic->bc", weight, flat)
        np.testing.assert_allclose(found[:, m], wanted, rtol=1e-4, atol=1e-4)
