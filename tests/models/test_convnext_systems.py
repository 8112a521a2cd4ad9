"""FRGeo and Sample4Geo: losses by formula, one temperature, shared weights."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp

import mgtl_tf
from mgtl_tf.config import TrainConfig
from mgtl_tf.evaluation.complexity import multiply_adds
from mgtl_tf.models.convnext import pretrained_convnext
from mgtl_tf.presets import load_preset
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError
from tests.models.systems import noise, noisy_pairs, small_model

pytestmark = pytest.mark.usefixtures("plain_graphs")


def units(seed, batch=5, size=6):
    x = np.random.default_rng(seed).normal(size=(batch, size))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


def test_frgeos_loss_is_its_papers_and_its_presets():
    """Of each query ln(1 + sum of exp(10 (cos_ij - cos_ii)))."""
    ground, satellite = units(0), units(1)
    cosines = ground.astype("f8") @ satellite.T.astype("f8")
    losses = []
    for matrix in (cosines, cosines.T):
        for i, row in enumerate(matrix):
            wrong = np.delete(row, i) - row[i]
            losses.append(logsumexp([0.0, *(10 * wrong)]))
    model = small_model("frgeo")
    found = model.retrieval_loss(ground, satellite)
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-5)
    train = load_preset("cvusa", system="frgeo").train
    assert (train.loss, train.temperature, train.label_smoothing) == (
        "info_nce",
        0.1,
        0.0,
    )
    assert train.sharpness_radius == 2.5


def test_a_learnt_temperature_starts_at_0_07_and_has_the_slope_of_the_loss():
    model = small_model("sample4geo")
    ground, satellite = units(2), units(3)
    scale = model.log_scale
    assert float(scale) == pytest.approx(np.log(1 / 0.07), rel=1e-6)

    def loss(value):
        scale.assign(value)
        return float(model.retrieval_loss(ground, satellite))

    with tf.GradientTape() as tape:
        found = model.retrieval_loss(ground, satellite)
    slope = float(tape.gradient(found, scale.value))
    assert float(found) == pytest.approx(
        float(mgtl_tf.losses.info_nce_loss(ground, satellite, 0.07)), rel=1e-5
    )
    start = float(scale)
    expected = (loss(start + 0.01) - loss(start - 0.01)) / 0.02
    assert slope == pytest.approx(expected, rel=1e-2)


def _step(model, **fields):
    config = TrainConfig(batch_size=4, loss="info_nce", **fields)
    optimizer = make_optimizer(config, model.trainable_variables)
    return TrainStep(model, optimizer, config)


def test_pieces_of_a_batch_give_the_whole_batchs_gradients():
    """The temperature's too, which every piece sees in full."""
    model = small_model("sample4geo")
    pairs = {**noisy_pairs(model), "negatives": ~np.eye(4, dtype=bool)}
    found = []
    for micro in (4, 2):
        step = _step(model, micro_batch=micro)
        gradients, _ = step.replica_gradients(pairs)
        found.append([np.asarray(g) for g in gradients])
    names = [v.path for v in model.trainable_variables]
    assert "log_scale" in names[-1] or "log_scale" in names[0]
    for name, whole, pieces in zip(names, *found, strict=True):
        scale = np.abs(whole).max()
        assert np.abs(whole - pieces).max() <= 1e-3 * scale + 1e-7, name


def test_another_loss_than_the_temperatures_is_refused():
    model = small_model("sample4geo")
    config = TrainConfig(batch_size=4)
    optimizer = make_optimizer(config, model.trainable_variables)
    with pytest.raises(UserError, match="loss=triplet: must be info_nce"):
        TrainStep(model, optimizer, config)


def test_one_network_sees_both_views_of_their_own_sizes():
    model = small_model("sample4geo")
    assert model.ground.layers[0] is model.satellite.layers[0]
    assert model.ground.layers[2] is model.satellite.layers[2]
    # The mean of all cells, whatever the view: an image has one descriptor.
    image = noise(model, "satellite", 0)
    found = model.encode_ground(image), model.encode_satellite(image)
    np.testing.assert_allclose(*found, atol=1e-6)
    weights = [v for v in model.weights if v is not model.log_scale]
    assert len(model.descriptor_weights) == len(weights)
    two = small_model("sample4geo", shared_trunk=False)
    assert two.count_params() == 2 * model.count_params() - 1


def test_multiply_adds_are_those_of_its_convolutions():
    model = small_model("frgeo", convnext_depths=(1, 2, 1, 1))
    widths, depths = (6, 12, 16, 12), (1, 2, 1, 1)
    height, width, total, before = 64, 128, 0, 3
    for stage, (channels, depth) in enumerate(zip(widths, depths, strict=True)):
        side = 2 if stage else 4
        height, width = height // side, width // side
        block = 49 * channels + 8 * channels**2
        made = side**2 * before * channels
        total += height * width * (made + depth * block)
        before = channels
    assert multiply_adds(model.encode_ground, (64, 128)) == total


@pytest.mark.parametrize("field", ["image_size", "satellite_size"])
def test_images_below_a_cell_are_refused(field):
    with pytest.raises(UserError, match=rf"{field}=\(24, 24\): must be 32"):
        mgtl_tf.ModelConfig(system="frgeo", **{field: (24, 24)})


def test_polar_images_are_quartered_as_panoramas():
    sizes = {"satellite_size": (0, 0), "satellite_form": "polar"}
    for name in ("frgeo", "sample4geo"):
        config = mgtl_tf.ModelConfig(
            system=name, descriptor_regions="quarters", **sizes
        )
        assert config.regions == {"ground": "columns", "satellite": "columns"}


def test_weights_of_a_file_start_every_network(monkeypatch):
    model = small_model("frgeo")
    trunk, _, norm = model.ground.layers
    random = np.random.default_rng(0)
    stages = [pretrained_convnext._in_order(s) for s in trunk.stages]
    shapes = [v.shape for v in sum(stages, []) + norm.variables]
    values = [random.normal(0, 0.1, shape).astype("f4") for shape in shapes]
    monkeypatch.setattr(
        pretrained_convnext, "_values", lambda features, source: values
    )
    model.start_from("imagenet")
    image = noise(model, "ground", 0)
    other = model.satellite.layers[0]
    np.testing.assert_array_equal(trunk(image), other(image))
    np.testing.assert_array_equal(norm.gamma, values[-2])
