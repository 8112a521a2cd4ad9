"""The figures of a folder that make demo left."""

import dataclasses

import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.reproduction.demo import read_demo
from mgtl_tf.retrieval.calibration.confidence import Confidence, SequenceModel
from mgtl_tf.retrieval.calibration.stored import (
    Calibration,
    MeasuredCalibration,
    save_calibration,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.pages import publish_demo
from tests.reproduction import fake_trainer


def test_a_demo_is_published(tmp_path):
    """A folder as make demo leaves it, to its figures in docs/."""
    demo, docs = tmp_path / "demo", tmp_path / "docs"
    config = dataclasses.asdict(RunConfig().replace(max_steps=4))
    (demo / "run").mkdir(parents=True)
    fake_trainer.write(demo / "run", config)
    ranks = demo / "run/evaluation-procedural-validation-ranks.npz"
    fake_trainer.write_ranks(ranks, 3, 8, "8" * 16)
    measured = MeasuredCalibration(8, 0.5, 0.01, 0.02, None, {})
    fitted = Confidence(sharpness=1.0), SequenceModel(sharpness=1.0)
    calibration = Calibration(fitted[0], 25.0, "", "", 0.1, fitted[1], measured)
    (demo / "gallery").mkdir()
    save_calibration(calibration, demo / "gallery")
    publish_demo(demo, docs)
    found = read_demo(docs)
    assert found.evaluation["ground_to_satellite"]["r@1"] == 3 / 8
    assert found.machine == "2 cores of a processor"
    assert (found.train_minutes, found.calibration) == (0.2, measured)
    assert str(tmp_path) not in (docs / "results/demo/figures.json").read_text()
    ranks.unlink()
    with pytest.raises(UserError, match="is not there; run make demo again"):
        publish_demo(demo, docs)
