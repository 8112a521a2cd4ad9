"""What every system must do; a new system joins by one row of `TABLE`."""

import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.config import SYSTEMS, RunConfig
from mgtl_tf.presets import PRESETS, load_preset
from mgtl_tf.training.checkpoint import Checkpoints
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.progress import Progress
from mgtl_tf.training.step import TrainStep
from tests.processor import needs_bfloat16

SIZE = (16, 40)

# name: a form of it that a test can train, and its descriptors' length D
TABLE = {
    "mgtl": (
        {
            "width_multiplier": 1 / 16,
            "poolings": 2,
            "channels": 12,
            "heads": 3,
            "recurrent_steps": 1,
            "backbone_normalization": "batch",
        },
        10 * 12,
    ),
    "safa": (
        {
            "width_multiplier": 1 / 16,
            "poolings": 2,
            "attention_maps": 3,
            "backbone_normalization": "batch",
        },
        3 * 32,
    ),
    "l2ltr": (
        {
            "width_multiplier": 1 / 16,
            "stem_blocks": (1, 1, 1),
            "vit_blocks": 2,
            "channels": 12,
            "heads": 3,
        },
        12,
    ),
}
every_system = pytest.mark.parametrize("name", TABLE)


def _config(name, **fields):
    small, _ = TABLE[name]
    given = {"backbone_dropout": 0.0, **small, **fields}
    return mgtl_tf.ModelConfig(system=name, image_size=SIZE, **given)


def _images(seed, batch=3):
    random = np.random.default_rng(seed)
    return random.uniform(0, 255, (batch, *SIZE, 3)).astype("float32")


@pytest.fixture(scope="module")
def models():
    """A model of every system, for tests that change no weight."""
    keras.utils.set_random_seed(3)
    return {name: mgtl_tf.build_model(_config(name)) for name in TABLE}


def test_the_table_holds_every_system():
    assert set(TABLE) == set(SYSTEMS)


@every_system
@pytest.mark.parametrize("preset", PRESETS)
def test_its_settings_fit_every_preset(name, preset):
    assert load_preset(preset, system=name).model.system == name


@every_system
def test_call_and_encoders_give_the_same_unit_vectors(models, name):
    model, dimension = models[name], TABLE[name][1]
    ground, satellite = _images(0), _images(1)
    outputs = model({"ground": ground, "satellite": satellite}, training=False)
    assert set(outputs) == {"ground", "satellite", "generated", "targets"}
    assert len(outputs["generated"]) == len(outputs["targets"])
    for view, encode, images in (
        ("ground", model.encode_ground, ground),
        ("satellite", model.encode_satellite, satellite),
    ):
        found = encode(images)
        assert tuple(found.shape) == (3, dimension)
        assert found.dtype == "float32"
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(found, outputs[view], atol=1e-5)
        # Nor does a descriptor depend on what else is in the batch.
        np.testing.assert_allclose(encode(images[1:2]), found[1:2], atol=1e-5)
        assert np.abs(found[0] - found[1]).max() > 1e-6


@every_system
def test_each_view_sees_its_own_image_alone(models, name):
    model = models[name]
    inputs = {"ground": _images(0), "satellite": _images(1)}
    before = model(inputs, training=False)
    after = model({**inputs, "satellite": _images(2)}, training=False)
    moved = {
        view: np.abs(before[view] - after[view]).max()
        for view in ("ground", "satellite")
    }
    # Units rounded to float32: 1e-6 is some ten times their last digit.
    assert moved["ground"] < 1e-6 < 1e-5 < moved["satellite"]


@every_system
def test_both_views_have_as_many_weights_of_their_own(models, name):
    sizes = {"ground": 0, "satellite": 0}
    for part, layers in models[name].parts.items():
        for view in sizes:
            if part.startswith(view):
                sizes[view] += sum(layer.count_params() for layer in layers)
    assert sizes["ground"] == sizes["satellite"] > 0


@every_system
def test_the_parts_are_the_whole(models, name):
    model = models[name]
    counted = sum(
        layer.count_params()
        for layers in model.parts.values()
        for layer in layers
    )
    assert counted == model.count_params()


@every_system
def test_save_and_reload(models, name, tmp_path):
    model = models[name]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.config == model.config
    for a, b in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(
        again.encode_ground(_images(0)),
        model.encode_ground(_images(0)),
        atol=1e-6,
    )


@needs_bfloat16
@every_system
def test_half_precision_descriptors_are_float32_units(models, name):
    half = mgtl_tf.build_model(_config(name), "mixed_bfloat16")
    half.set_weights(models[name].get_weights())
    found = half.encode_ground(_images(0))
    assert found.dtype == "float32"
    expected = models[name].encode_ground(_images(0))
    assert np.sum(np.asarray(found) * np.asarray(expected), 1).min() > 0.98


@every_system
def test_it_learns_and_a_checkpoint_holds_all_that_it_learnt(name, tmp_path):
    """Through the real train step, with dropout, whose state counts too."""
    keras.utils.set_random_seed(1)
    config = RunConfig().train
    model = mgtl_tf.build_model(_config(name, backbone_dropout=0.05))
    optimizer = make_optimizer(config, model.trainable_variables)
    step = TrainStep(model, optimizer, config)
    ground = _images(0, 4)
    noise = np.random.default_rng(1).normal(0, 10, ground.shape)
    batch = {
        "ground": ground,
        "satellite": (ground + noise).astype("float32"),
        "negatives": ~np.eye(4, dtype=bool),
    }
    before = [w.numpy() for w in model.trainable_weights]
    losses = [float(step(batch, 1e-3)["loss"]) for _ in range(20)]
    assert losses[-1] < 0.8 * losses[0]
    for old, new in zip(before, model.trainable_weights, strict=True):
        if "key/bias" not in new.path:  # no softmax depends on it
            assert not np.array_equal(old, new.numpy()), new.path

    checkpoints = Checkpoints(tmp_path, model, optimizer)
    checkpoints.save_last(Progress(step=20))
    step(batch, 1e-3)
    expected = [w.numpy() for w in model.weights]
    for variable in (*model.weights, *optimizer.variables):
        variable.assign(0 * variable)
    assert checkpoints.restore_last().step == 20
    step(batch, 1e-3)
    for a, b in zip(model.weights, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), b, atol=1e-6)
