"""A model's cost: what is counted, measured, refused and kept."""

import json

import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.evaluation.complexity.cost import complexity_of
from mgtl_tf.evaluation.complexity.fresh import fresh_cost, paper_size
from mgtl_tf.reproduction.rows import L2LTR, SAFA, VGG, WITH_CMI
from mgtl_tf.utils.errors import UserError

TINY = mgtl_tf.ModelConfig(
    image_size=(16, 48),
    width_multiplier=1 / 16,
    poolings=4,
    channels=12,
    heads=2,
    recurrent_steps=2,
)


def test_rows_are_counted_at_their_published_size():
    assert paper_size(WITH_CMI.changes) == mgtl_tf.ModelConfig()
    assert paper_size(VGG.changes).recurrent_steps == 0
    assert paper_size(SAFA.changes).image_size == (112, 616)
    l2ltr = paper_size(L2LTR.changes)
    assert (l2ltr.image_size, l2ltr.channels) == ((128, 512), 768)


def test_parts_descriptor_times_and_memory():
    cost = complexity_of(TINY, batch=3, repeats=2)
    c = 12
    perceptron = 2 * 4 * c * c + 5 * c
    step_cmi, step_gkst = 2 * perceptron, 4 * (c * c + c) + 2 * c + perceptron
    for view in ("ground", "satellite"):
        assert cost.parts[f"{view} CMI"] == 2 * step_cmi
        assert cost.parts[f"{view} GKST"] == 2 * step_gkst
        assert cost.parts[f"{view} norms"] == 3 * 2 * c
    assert cost.parts["shared map (MIFE)"] == 32 * c + c
    assert sum(cost.parts.values()) == cost.parameters
    assert cost.descriptor_bytes == 4 * 3 * c  # three azimuth tokens
    assert 0 < cost.one_seconds and 0 < cost.batch_seconds
    assert cost.batch == 3
    assert cost.peak_bytes is None or cost.peak_bytes > 50e6
    text = cost.text()
    assert f"{cost.parameters:,}" in text and "ms a panorama" in text


def test_measured_in_a_process_of_its_own_and_once(tmp_path):
    found = fresh_cost(TINY, tmp_path)
    assert found["parameters"] == mgtl_tf.build_model(TINY).count_params()
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text()) == found
    file.write_text(json.dumps({**found, "batch": 99}))
    assert fresh_cost(TINY, tmp_path)["batch"] == 99
    assert np.isfinite(found["batch_seconds"])


def test_a_failed_measurement_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(UserError, match="mgtl: its cost was not found"):
        fresh_cost(TINY, tmp_path)
