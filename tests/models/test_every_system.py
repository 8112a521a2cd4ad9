"""What every system must do by Keras' means; see tests/models/systems.py.

That it learns, and goes on exactly where it was, is test_systems_learn.py.
"""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.config import SYSTEMS, TrainConfig
from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.losses import total_loss
from mgtl_tf.presets import PRESETS, load_preset
from mgtl_tf.training.step import TrainStep
from tests.models.systems import (
    TABLE,
    every_system,
    noise,
    noisy_pairs,
    small_model,
)
from tests.processor import needs_bfloat16

# The views' networks are of one form, and so of one size, but for these.
OF_TWO_FORMS = ("regmi", "toker", "transgeo", "zhai")


def _unlike(model):
    return {v: noise(model, v, n) for n, v in enumerate(VIEWS)}


@pytest.fixture(scope="module")
def models():
    """A model of every system, for tests that change no weight."""
    return {name: small_model(name) for name in TABLE}


def test_the_table_holds_every_system():
    assert set(TABLE) == set(SYSTEMS)


@every_system
@pytest.mark.parametrize("preset", PRESETS)
def test_its_settings_fit_every_preset(name, preset):
    assert load_preset(preset, system=name).model.system == name


@every_system
def test_call_and_encoders_give_the_same_unit_vectors(models, name):
    model, dimension = models[name], TABLE[name][1]
    inputs = _unlike(model)
    outputs = model(inputs, training=False)
    assert set(outputs) == {"ground", "satellite", "generated", "targets"}
    assert len(outputs["generated"]) == len(outputs["targets"])
    for view, images in inputs.items():
        encode = getattr(model, f"encode_{view}")
        found = encode(images)
        assert tuple(found.shape) == (3, dimension)
        assert found.dtype == "float32"
        if model.scorer.unit:
            lengths = np.linalg.norm(found, axis=1)
            np.testing.assert_allclose(lengths, 1, atol=1e-5)
        np.testing.assert_allclose(found, outputs[view], atol=1e-5)
        # Nor does a descriptor depend on what else is in the batch.
        np.testing.assert_allclose(encode(images[1:2]), found[1:2], atol=1e-5)
        assert np.abs(found[0] - found[1]).max() > 1e-6


@every_system
def test_each_view_sees_its_own_image_alone(models, name):
    model = models[name]
    inputs = _unlike(model)
    before = model(inputs, training=False)
    others = noise(model, "satellite", 2)
    after = model({**inputs, "satellite": others}, training=False)
    moved = {
        view: np.abs(before[view] - after[view]).max()
        for view in ("ground", "satellite")
    }
    # Units rounded to float32: 1e-6 is some ten times their last digit.
    assert moved["ground"] < 1e-6 < 1e-5 < moved["satellite"]


@every_system
def test_parts_are_the_whole_and_views_are_alike(models, name):
    model, sizes = models[name], {}
    for part, layers in model.parts.items():
        view = part.split()[0]
        count = sum(layer.count_params() for layer in layers)
        sizes[view] = sizes.get(view, 0) + count
    if set(sizes) == {"shared"}:
        sizes = dict.fromkeys(VIEWS, sizes["shared"] / 2)
    # A label map has no network.
    labels = model.config.ground_form == "labels"
    assert (sizes.get("ground", 0) > 0) == (not labels)
    alike = sizes.get("ground", 0) == sizes["satellite"] > 0
    assert alike == (name not in OF_TWO_FORMS)
    # But for what the loss alone reads.
    count = sum(sizes.values()) + len(model.loss_weights)
    assert count == model.count_params()


@every_system
def test_no_convolution_of_one_cell_has_a_stride(models, name):
    """The gradient by its kernel writes beyond its memory in TensorFlow 2.21:
    8 x 20 cells of 4 channels to 8 end in a segmentation fault."""
    for layer in models[name]._flatten_layers():
        if isinstance(layer, keras.layers.Conv2D):
            assert layer.kernel_size != (1, 1) or layer.strides == (1, 1)


@every_system
def test_summary_shapes_and_plain_config(models, name, monkeypatch):
    model, lines = models[name], []
    model.summary(print_fn=lines.append)
    assert "?" not in "\n".join(lines)
    images = model.config.input_shapes.items()
    symbols = {view: keras.Input(shape[1:]) for view, shape in images}
    # Traced once for both that ask for it.
    traced = model.compute_output_spec(symbols)
    monkeypatch.setattr(model, "compute_output_spec", lambda *_, **__: traced)
    shapes = model.compute_output_shape(model.config.input_shapes)
    outputs = model(noisy_pairs(model, 3))
    assert shapes.keys() == outputs.keys()
    for view in ("ground", "satellite"):
        assert shapes[view] == (None, outputs[view].shape[1])
    for loss in ("generated", "targets"):
        assert [tuple(o.shape)[1:] for o in outputs[loss]] == [
            s[1:] for s in shapes[loss]
        ]
    assert model(symbols)["ground"].dtype == "float32"
    config = model.get_config()
    for field, value in config.items():
        assert field == "dtype" or not isinstance(value, dict), field
    assert type(model).from_config(config).config == model.config


@needs_bfloat16
@every_system
def test_half_precision_descriptors_are_float32_units(models, name):
    half = small_model(name, "mixed_bfloat16")
    half.set_weights(models[name].get_weights())
    images = noise(half, "ground", 0)
    found = half.encode_ground(images)
    assert found.dtype == "float32"
    expected = models[name].encode_ground(images)
    assert np.sum(np.asarray(found) * np.asarray(expected), 1).min() > 0.98


# The config's loss, one without negatives, one of distances.
@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("name", ["mgtl", "workman", "vo"])
def test_a_fit_step_and_the_custom_step_give_the_same_weights(name):
    negatives = ~np.eye(4, dtype=bool)
    negatives[0, 1] = negatives[1, 0] = False
    plain = {"backbone_normalization": "none"}
    ours, kerass = small_model(name, **plain), small_model(name, **plain)
    batch = {**noisy_pairs(ours), "negatives": negatives}
    step = TrainStep(ours, keras.optimizers.Adam(1e-3), TrainConfig())
    figures = step(batch, 1e-3)
    kerass.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
    dataset = tf.data.Dataset.from_tensors(batch)
    history = kerass.fit(dataset, verbose=0, shuffle=False)
    assert history.history["loss"][0] == pytest.approx(
        float(figures["loss"]), rel=1e-5
    )
    for a, b in zip(ours.weights, kerass.weights, strict=True):
        if "key/bias" not in a.path:  # its gradient is rounding alone
            np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-5)


@pytest.mark.parametrize(
    ("count", "dtype"),
    [
        (1, "float32"),
        pytest.param(3, "mixed_bfloat16", marks=needs_bfloat16),
    ],
)
def test_fit_of_other_precision_and_of_one_pair(count, dtype):
    model = small_model(dtype=dtype)
    model.compile(keras.optimizers.SGD(1e-3), run_eagerly=True)
    loss = model.fit(noisy_pairs(model, count), verbose=0).history["loss"][0]
    assert np.isfinite(loss)
    assert all(np.isfinite(w).all() for w in model.get_weights())


# Nothing of ours but the package's name.
LOAD = """
import keras, mgtl_tf
import numpy as np
for name in {names}:
    pairs = dict(np.load(name + ".npz"))
    model = keras.models.load_model(name + ".keras")
    np.save(name + ".npy", model.encode_ground(pairs["ground"]))
    if name == "trained":
        model.run_eagerly = True
        model.fit(pairs, batch_size=4, verbose=0)
        assert int(model.optimizer.iterations) == 2
"""


def _python(code, folder):
    names = ("MGTL_TF_LAZY", "KERAS_BACKEND")
    kept = {k: v for k, v in os.environ.items() if k not in names}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )


def test_saved_models_load_in_a_fresh_process(models, tmp_path):
    trained = small_model()
    pairs = noisy_pairs(trained)
    trained.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
    trained.fit(pairs, batch_size=4, verbose=0)
    saved = {**models, "trained": trained}
    for name, model in saved.items():
        model.save(tmp_path / f"{name}.keras")
        np.savez(tmp_path / f"{name}.npz", **noisy_pairs(model))
    done = _python(LOAD.format(names=list(saved)), tmp_path)
    assert done.returncode == 0, done.stderr
    for name, model in saved.items():
        expected = model.encode_ground(noisy_pairs(model)["ground"])
        found = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(found, expected, atol=1e-6)


@every_system
def test_evaluate_and_predict_are_equation_9_and_the_outputs(models, name):
    """That `fit` minimises the same, a step above and test_docs.py show."""
    model = models[name]
    batch = noisy_pairs(model)
    outputs = model(batch, training=False)
    own = {"retrieval_loss": model.retrieval_loss, "scorer": model.scorer}
    expected = float(total_loss(outputs, **own))
    model.compile(run_eagerly=True)
    dataset = tf.data.Dataset.from_tensors(batch)
    loss = model.evaluate(dataset, verbose=0)
    assert loss == pytest.approx(expected, rel=1e-4)
    found = model.predict(batch, batch_size=4, verbose=0)
    for view in VIEWS:
        np.testing.assert_allclose(found[view], outputs[view], atol=1e-5)


CHILD = "import mgtl_tf, sys; print('keras' in sys.modules)"
IMPORT = """
import mgtl_tf, multiprocessing, sys
from tensorflow.python.eager import context
if __name__ == "__main__":
    assert context.context()._context_handle is None
    import tensorflow as tf
    tf.config.threading.set_inter_op_parallelism_threads(2)
    import child
    process = multiprocessing.get_context("spawn").Process(target=child.work)
    process.start()
    process.join()
"""


def test_importing_is_quiet_starts_no_context_and_no_keras_in_workers(tmp_path):
    (tmp_path / "child.py").write_text(f"def work(): {CHILD}\n")
    done = _python(IMPORT, tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "False\n")


# Descriptors of both lengths, label maps, groups, a wider scorer.
@pytest.mark.parametrize("name", ["dsm", "zhai", "vo", "toker"])
def test_a_system_takes_an_offset_head(models, name, tmp_path):
    """It starts in the centre, is all that is new, and is saved with it."""
    given = {"shift_search": True} if name == "dsm" else {}
    given |= {"generator": True} if name == "toker" else {}
    if name == "toker":  # sizes that its decoder takes
        given["image_size"] = (24, 40)
    model = small_model(name, offset_head=True, **given)
    views = _unlike(model)
    found = [getattr(model, f"encode_{v}")(x) for v, x in views.items()]
    offsets = model.predict_offsets(*found)
    np.testing.assert_array_equal(offsets, np.zeros((3, 2)))
    head = model.offset_head
    sizes = [d.shape[1] for d in found]
    assert head.hidden.kernel.shape == (sum(sizes), 512)
    names = {weight.path for weight in model.offset_weights}
    assert names <= {weight.path for weight in model.descriptor_weights}
    head.point.bias.assign([0.25, -0.5])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again.predict_offsets(*found), np.tile([[0.25, -0.5]], (3, 1))
    )
    with pytest.raises(ValueError, match="has no offset_head"):
        models["linear_probe"].predict_offsets(*found)
