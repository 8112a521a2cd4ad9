"""The trunks of Toker et al.: sizes, parameters, blocks by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from mgtl_tf.layers.spatial_maps import SpatialMaps
from mgtl_tf.layers.trunks.basic_block import BasicBlock
from mgtl_tf.layers.trunks.generator_blocks import DownBlock, InstanceResidual
from mgtl_tf.layers.trunks.generator_encoder import GeneratorEncoder
from mgtl_tf.layers.trunks.resnet34 import ResNet34Features
from tests.numpy_layers import randomise

STATES = ("direction", "moving_mean", "moving_variance")


@pytest.mark.parametrize(
    ("kind", "count"),
    [(ResNet34Features, 8_170_304), (GeneratorEncoder, 8_298_368)],
)
def test_published_parameters_and_map(kind, count):
    layer, shape = kind(), (None, 112, 616, 3)
    with keras.StatelessScope(initialize_variables=False):
        layer.build(shape)
    weights = [w for w in layer.weights if not w.path.endswith(STATES)]
    assert sum(int(np.prod(w.shape)) for w in weights) == count
    assert layer.compute_output_shape(shape) == (None, 14, 77, 256)


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

    def norm(x, layer):
        mean, variance = (
            f(x, (1, 2), keepdims=True) for f in (np.mean, np.var)
        )
        scaled = (x - mean) / np.sqrt(variance + 1e-5)
        return scaled * np.asarray(layer.gamma) + np.asarray(layer.beta)

    found = norm(_convolved(_maps(), layer.conv1), layer.norm1)
    found = norm(_convolved(np.maximum(found, 0), layer.conv2), layer.norm2)
    np.testing.assert_allclose(layer(_maps()), found + _maps(), atol=1e-4)


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
