"""What a Keras user expects: compile, fit, evaluate, predict, save, load."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import mgtl_tf
from mgtl_tf.config import TrainConfig
from mgtl_tf.losses import total_loss
from mgtl_tf.training.step import TrainStep
from tests.processor import needs_bfloat16

SYSTEMS = {
    "mgtl": {"channels": 12, "heads": 3, "recurrent_steps": 1},
    "safa": {"attention_maps": 3},
    "l2ltr": {
        "channels": 12,
        "heads": 3,
        "vit_blocks": 1,
        "stem_blocks": (1, 1, 1),
    },
}
SIZE = (16, 40)


def _model(system="mgtl", dtype=None):
    keras.utils.set_random_seed(1)
    config = mgtl_tf.ModelConfig(
        system=system,
        image_size=SIZE,
        width_multiplier=1 / 16,
        poolings=2,
        backbone_dropout=0.0,
        **SYSTEMS[system],
    )
    return mgtl_tf.build_model(config, dtype=dtype)


def _pairs(count=4):
    random = np.random.default_rng(0)
    ground = random.uniform(0, 255, (count, *SIZE, 3)).astype("float32")
    noise = random.normal(0, 10, ground.shape)
    return {"ground": ground, "satellite": (ground + noise).astype("float32")}


def _dataset(batch):
    return tf.data.Dataset.from_tensors(batch)


@pytest.mark.parametrize("system", SYSTEMS)
def test_fit_trains_with_equation_9(system):
    model, batch = _model(system), _pairs()
    model.compile(keras.optimizers.Adam(1e-3))
    before = float(total_loss(model(batch, training=True)))
    history = model.fit(_dataset(batch).repeat(10), verbose=0)
    assert float(history.history["loss"][0]) < before
    outputs = model(batch, training=False)
    after = model.evaluate(_dataset(batch), verbose=0)
    assert after == pytest.approx(float(total_loss(outputs)), rel=1e-5)
    assert after < before
    found = model.predict(batch, batch_size=2, verbose=0)
    for view in ("ground", "satellite"):
        np.testing.assert_allclose(found[view], outputs[view], atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_a_fit_step_and_the_custom_step_give_the_same_weights(masked):
    batch = _pairs()
    negatives = ~np.eye(4, dtype=bool)
    if masked:
        negatives[0, 1] = negatives[1, 0] = False
    ours, kerass = _model(), _model()
    step = TrainStep(ours, keras.optimizers.Adam(1e-3), TrainConfig())
    figures = step({**batch, "negatives": negatives}, 1e-3)
    kerass.compile(keras.optimizers.Adam(1e-3))
    given = {**batch, "negatives": negatives} if masked else batch
    history = kerass.fit(_dataset(given), verbose=0)
    assert history.history["loss"][0] == pytest.approx(
        float(figures["loss"]), rel=1e-5
    )
    for a, b in zip(ours.weights, kerass.weights, strict=True):
        if "key/bias" not in a.path:  # its gradient is rounding alone
            np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-5)


@pytest.mark.parametrize(
    "dtype", ["float32", pytest.param("mixed_bfloat16", marks=needs_bfloat16)]
)
@pytest.mark.parametrize("count", [1, 3])
def test_fit_of_other_precision_and_of_one_pair(dtype, count):
    model = _model(dtype=dtype)
    model.compile(keras.optimizers.SGD(1e-3))
    loss = model.fit(_dataset(_pairs(count)), verbose=0).history["loss"][0]
    assert np.isfinite(loss)
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize("system", SYSTEMS)
def test_summary_and_output_shapes(system):
    model, lines = _model(system), []
    model.summary(print_fn=lines.append)
    assert "?" not in "\n".join(lines)
    image = (None, *SIZE, 3)
    shapes = model.compute_output_shape({"ground": image, "satellite": image})
    outputs = model(_pairs(3))
    assert shapes.keys() == outputs.keys()
    for view in ("ground", "satellite"):
        assert shapes[view] == (None, outputs[view].shape[1])
    for name in ("generated", "targets"):
        assert [tuple(o.shape)[1:] for o in outputs[name]] == [
            s[1:] for s in shapes[name]
        ]
    symbols = {view: keras.Input((*SIZE, 3)) for view in _pairs()}
    assert model(symbols)["ground"].dtype == "float32"


@pytest.mark.parametrize("system", SYSTEMS)
def test_config_is_plain_and_makes_the_same_model(system):
    config = _model(system).get_config()
    for name, value in config.items():
        assert name == "dtype" or not isinstance(value, dict), name
    again = type(_model(system)).from_config(config)
    assert again.config == _model(system).config


# Either order of imports, and nothing of ours but the package's name.
LOAD = """
{imports}
import numpy as np
model = keras.models.load_model("model.keras")
pairs = dict(np.load("pairs.npz"))
np.save("descriptors.npy", model.encode_ground(pairs["ground"]))
model.fit(pairs, batch_size=4, verbose=0)
assert int(model.optimizer.iterations) == 2
"""


def _python(code, folder, **variables):
    names = ("MGTL_TF_LAZY", "KERAS_BACKEND")
    kept = {k: v for k, v in os.environ.items() if k not in names}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(Path(__file__).parents[2]), **variables},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("system", "imports"),
    [
        ("mgtl", "import keras, mgtl_tf"),
        ("l2ltr", "import mgtl_tf, keras"),
    ],
)
def test_a_saved_model_loads_in_a_fresh_process(system, imports, tmp_path):
    model, pairs = _model(system), _pairs()
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(pairs, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "pairs.npz", **pairs)
    done = _python(LOAD.format(imports=imports), tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        np.load(tmp_path / "descriptors.npy"),
        model.encode_ground(pairs["ground"]),
        atol=1e-6,
    )


IMPORT = """
import mgtl_tf, sys
from tensorflow.python.eager import context
assert context.context()._context_handle is None
import tensorflow as tf
tf.config.threading.set_inter_op_parallelism_threads(2)
"""


def test_importing_is_quiet_and_starts_no_tensorflow_context(tmp_path):
    done = _python(IMPORT, tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_importing_in_programs_and_workers_loads_no_keras(tmp_path):
    code = "import mgtl_tf, sys; print('keras' in sys.modules)"
    done = _python(code, tmp_path, MGTL_TF_LAZY="1")
    assert done.stdout == "False\n"
    (tmp_path / "child.py").write_text(f"def work(): {code}\n")
    spawn = (
        "import child, multiprocessing as m\n"
        "if __name__ == '__main__':\n"
        "    p = m.get_context('spawn').Process(target=child.work)\n"
        "    p.start(); p.join()"
    )
    assert _python(spawn, tmp_path).stdout == "False\n"
