"""What a run starts from: each step of the written order, and its errors."""

from pathlib import Path

import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.records import Dataset, Pair
from mgtl_tf.training.checkpoint import Checkpoints, Progress
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.resume import restore

SMALL = RunConfig().replace(
    image_size=(8, 16),
    width_multiplier=1 / 64,
    poolings=1,
    channels=4,
    heads=2,
    recurrent_steps=1,
    backbone_weights="none",
)


@pytest.fixture
def data():
    pair = Pair("a", Path("ground.jpg"), Path("aerial.jpg"))
    return Dataset("procedural", train=(pair,), validation=())


def start(run_dir, seed=0, config=SMALL):
    keras.utils.set_random_seed(seed)
    model = mgtl_tf.build_model(config.model)
    optimizer = make_optimizer(config.train, model.trainable_variables)
    return Checkpoints(run_dir, model, optimizer)


def values(checkpoints):
    return [np.array(v) for v in checkpoints.model.variables]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_each_comes_before_the_next(data, tmp_path):
    other = start(tmp_path / "other", seed=1)
    other.save_best(Progress(5, best=0.5))
    given = SMALL.replace(
        init_from=str(tmp_path / "other"), backbone_weights="missing.h5"
    )
    run = start(tmp_path / "run", seed=2)
    random = values(run)
    # 4. Random weights stay as the seed made them.
    assert restore(SMALL, run, data).step == 0
    assert same(values(run), random)
    # 3. Backbone weights, where there is no other run to start from.
    with pytest.raises(UserError, match="^backbone_weights=missing.h5"):
        restore(given.replace(init_from=""), run, data)
    # 2. Another run's best, and the steps begin anew.
    progress = restore(given, run, data)
    assert (progress.step, progress.best) == (0, -1.0)
    assert same(values(run), values(other))
    assert int(run.optimizer.iterations) == 0
    # 1. The run's own, even where the other one is gone.
    own = start(tmp_path / "run", seed=3)
    own.save_last(Progress(9))
    gone = given.replace(init_from=str(tmp_path / "gone"))
    assert restore(gone, run, data).step == 9
    assert same(values(run), values(own))


def test_a_run_without_evaluation_gives_its_last(data, tmp_path):
    other = start(tmp_path / "other", seed=1)
    other.save_last(Progress(5))
    run = start(tmp_path / "run", seed=2)
    restore(SMALL.replace(init_from=str(tmp_path / "other")), run, data)
    assert same(values(run), values(other))


def test_what_cannot_be_started_from_is_one_line(data, tmp_path):
    other = start(tmp_path / "other", seed=1)
    run = start(tmp_path / "run", seed=2)
    before = values(run)
    config = SMALL.replace(init_from=str(tmp_path / "other"))

    def refused(config, said):
        flag = f"--init_from={config.train.init_from}: "
        with pytest.raises(UserError, match=said) as error:
            restore(config, run, data)
        assert str(error.value).startswith(flag)
        assert "\n" not in str(error.value)
        assert same(values(run), before)

    refused(SMALL.replace(init_from="nowhere"), "not there; give the folder")
    (tmp_path / "other").mkdir()
    refused(config, "holds no checkpoint; give the folder")
    other.save_best(Progress(5))
    other.save_last(Progress(6))
    path = tmp_path / "other/checkpoints/best/ckpt-1.index"
    path.write_bytes(path.read_bytes()[:-1])
    # Its last one is whole, and not what was asked for.
    refused(config, r"best/ckpt-1\.index: has")
    deeper = SMALL.replace(recurrent_steps=2)
    start(tmp_path / "deeper", config=deeper).save_best(Progress(1))
    refused(
        SMALL.replace(init_from=str(tmp_path / "deeper")),
        r"only in the file: model/ground_step_1/cmi/\S+ \(4",
    )
