"""The example of WORKSPACE.md: its lines alone make a system."""

from pathlib import Path

import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.config import SYSTEMS, RunConfig, TrainConfig
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("plain_graphs")


@pytest.fixture
def example():
    """Known while a test runs, and to no other."""
    before = dict(SYSTEMS)
    from tests.models import example_system

    SYSTEMS.update(global_maximum=example_system.GlobalMaximumConfig)
    yield example_system
    SYSTEMS.clear()
    SYSTEMS.update(before)
    assert "global_maximum" not in SYSTEMS


def test_it_is_short_and_workspace_names_it():
    lines = (ROOT / "tests/models/example_system.py").read_text().splitlines()
    assert len(lines) < 60
    text = (ROOT / "WORKSPACE.md").read_text()
    assert "`tests/models/example_system.py`" in text


def test_the_example_trains_is_saved_and_comes_back(example, tmp_path):
    keras.utils.set_random_seed(0)
    fields, size = example.ROW
    run = RunConfig.of(
        system="global_maximum",
        image_size=(16, 40),
        width_multiplier=1 / 16,
        backbone_dropout=0.0,
        **fields,
    )
    assert RunConfig.from_json(run.to_json()) == run
    RunConfig.of(system="global_maximum", **example.SETTINGS[""])
    model = mgtl_tf.build_model(run.model)
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 16, 40, 3))
    images = {
        view: pixels.astype("float32") for view in ("ground", "satellite")
    }
    config = TrainConfig()
    step = TrainStep(
        model, make_optimizer(config, model.trainable_variables), config
    )
    batch = {**images, "negatives": ~np.eye(4, dtype=bool)}
    losses = [float(step(batch, 1e-3)["loss"]) for _ in range(10)]
    assert losses[-1] < 0.8 * losses[0]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    expected = model.encode_ground(images["ground"])
    assert expected.shape == (4, size)
    found = again.encode_ground(images["ground"])
    np.testing.assert_allclose(found, expected, atol=1e-6)
