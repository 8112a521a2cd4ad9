"""CVM-Net: its published sizes, what is shared, and its descriptor."""

import keras
import numpy as np
import pytest

import mgtl_tf
from tests.models.published_size import part_sizes, published

SMALL = {
    "image_size": (16, 40),
    "satellite_size": (24, 24),
    "poolings": 2,
    "width_multiplier": 1 / 32,
    "clusters": 3,
    "descriptor_size": 5,
}


def small(**fields):
    keras.utils.set_random_seed(0)
    config = mgtl_tf.ModelConfig(system="cvm_net", **{**SMALL, **fields})
    return mgtl_tf.build_model(config)


def images(size, seed=0):
    random = np.random.default_rng(seed)
    return random.uniform(0, 255, (2, *size, 3)).astype("float32")


def test_parameters_of_i_as_published():
    model = published("cvm_net")
    sizes = part_sizes(model)
    net_vlad = 512 * 64 + 64 + 512 * 64
    assert sizes["ground"] == sizes["satellite"] == 14_714_688 + net_vlad
    assert sizes["shared"] == 64 * 512 * 4096 + 4096
    assert model.count_params() == sum(sizes.values()) == 163_782_400
    assert model.config.input_shapes == {
        "ground": (None, 224, 1232, 3),
        "satellite": (None, 512, 512, 3),
    }


def test_parameters_of_ii_as_published():
    model = published("cvm_net", cvm_net="II")
    sizes = part_sizes(model)
    one, three = 512 * 512 + 512, 9 * 512 * 512 + 512
    assert sizes["ground"] == sizes["satellite"] == 14_714_688 + one
    assert sizes["shared"] == three + one + 65_600 + 64 * 512 * 4096
    assert model.count_params() == sum(sizes.values()) == 166_860_480


@pytest.mark.parametrize("form", ["I", "II"])
def test_descriptor_is_the_chain_of_layers_scaled_to_unit_length(form):
    model = small(cvm_net=form)
    image = images((24, 24))
    backbone, head = model.satellite.layers
    found = head(backbone(image, training=False), training=False)
    for layer in model.shared.layers:
        found = layer(found)
    found = np.array(found)
    assert found.shape == (2, 5)
    expected = found / np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(
        model.encode_satellite(image), expected, atol=1e-5
    )
    kinds = [type(layer).__name__ for layer in model.shared.layers]
    convolutions = ["Conv2D", "Dropout"]
    both = [*convolutions, *convolutions, "NetVLAD"] if form == "II" else []
    assert kinds == [*both, "Dense"]


@pytest.mark.parametrize("form", ["I", "II"])
def test_a_shared_weight_moves_both_views_and_a_views_own_only_its(form):
    model = small(cvm_net=form)
    batch = {"ground": images((16, 40)), "satellite": images((24, 24), 1)}
    before = model(batch)

    def moved(weight):
        old = np.array(weight)
        weight.assign(old + np.random.default_rng(2).normal(size=old.shape))
        after = model(batch)
        weight.assign(old)
        views = ("ground", "satellite")
        return [v for v in views if np.abs(after[v] - before[v]).max() > 1e-4]

    assert moved(model.shared.layers[-1].kernel) == ["ground", "satellite"]
    own = model.ground.layers[1].weights[0]
    assert moved(own) == ["ground"]


def test_projections_start_as_published():
    first, second = (
        small().shared.layers[-1],
        small(cvm_net="II").shared.layers[-1],
    )
    assert np.all(first.bias == np.float32(0.1)) and not second.use_bias
    assert 0.004 < np.std(first.kernel) < 0.006
    assert 0.1 < np.std(second.kernel) < 0.15
