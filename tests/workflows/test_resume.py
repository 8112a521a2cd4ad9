"""What a run starts from: each step of the written order, and its errors."""

import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.config import RunConfig
from mgtl_tf.models.backbones import backbone_digest
from mgtl_tf.training.checkpoint import Checkpoints, load_model
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.progress import Progress
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.resume import record_start, restore
from mgtl_tf.workflows.start import Start
from tests.tiny_runs import PROBE, TINY, write_run

SMALL = PROBE.replace(blocks=2)


def start(run_dir, seed=0, config=SMALL):
    keras.utils.set_random_seed(seed)
    model = mgtl_tf.build_model(config.model)
    optimizer = make_optimizer(config.train, model.trainable_variables)
    return Checkpoints(run_dir, model, optimizer)


def begin(run, init_from="", backbone_weights="none"):
    given = Start(str(init_from), backbone_weights=backbone_weights)
    return restore(run, "pairs", "network", given)


def values(checkpoints):
    return [np.array(v) for v in checkpoints.model.variables]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_each_comes_before_the_next(tmp_path):
    other = start(tmp_path / "other", seed=1)
    run = start(tmp_path / "run", seed=2)
    random = values(run)
    # 4. Random weights stay as the seed made them.
    assert begin(run).step == 0
    assert same(values(run), random)
    # 3. Backbone weights, where there is no other run to start from.
    with pytest.raises(UserError, match="backbone_weights=missing.h5"):
        begin(run, backbone_weights="missing.h5")
    # 2. Another run's best (its last, before an evaluation), and the steps
    # begin at zero.
    for save in (other.save_last, other.save_best):
        save(Progress(5, best=0.5))
        progress = begin(run, tmp_path / "other", "missing.h5")
        assert (progress.step, progress.best) == (0, -1.0)
        assert same(values(run), values(other))
        assert int(run.optimizer.iterations) == 0
    # 1. The run's own, even where the other one is gone.
    own = start(tmp_path / "run", seed=3)
    own.save_last(Progress(9))
    assert begin(run, tmp_path / "gone", "missing.h5").step == 9
    assert same(values(run), values(own))
    own.save_last(Progress(9, data="others"))
    with pytest.raises(UserError, match="not those that the run was begun"):
        begin(run)


def test_what_cannot_be_started_from_is_one_line(tmp_path):
    other = start(tmp_path / "other", seed=1)
    run = start(tmp_path / "run", seed=2)
    before = values(run)

    def refused(init_from, said):
        with pytest.raises(UserError, match=said) as error:
            begin(run, init_from)
        assert str(error.value).startswith(f"init_from={init_from}: ")
        assert "\n" not in str(error.value)
        assert same(values(run), before)

    refused("nowhere", "not there; give the folder")
    (tmp_path / "other").mkdir()
    refused(tmp_path / "other", "holds no checkpoint; give the folder")
    other.save_best(Progress(5))
    other.save_last(Progress(6))
    path = tmp_path / "other/checkpoints/best/ckpt-1.index"
    path.write_bytes(path.read_bytes()[:-1])
    # Its last one is readable, and not what was asked for.
    refused(tmp_path / "other", "best/ckpt-1: cannot be read")
    deeper = SMALL.replace(blocks=3)
    start(tmp_path / "deeper", config=deeper).save_best(Progress(1))
    refused(tmp_path / "deeper", r"in the file: model/ground/columns/\S+ \(")


def test_a_trunk_comes_from_a_run_of_any_system(tmp_path):
    write_run(tmp_path / "safa", TINY.replace(system="safa"))
    run = start(tmp_path / "run", seed=2, config=TINY)
    _, source = load_model(tmp_path / "safa")
    restore(run, "", "", Start(init_backbone=str(tmp_path / "safa")))
    assert backbone_digest(run.model) == backbone_digest(source)
    before = values(run)
    write_run(tmp_path / "wide", TINY.replace(width_multiplier=1 / 32))
    (tmp_path / "empty").mkdir()
    for name, said in (
        ("wide", "kernel is .* this model's .* VGG-16 of the same widths"),
        ("empty", "holds no checkpoint; give the folder"),
        ("nowhere", "not there; give the folder"),
    ):
        given = Start(init_backbone=str(tmp_path / name))
        with pytest.raises(UserError, match=said) as error:
            restore(run, "", "", given)
        message = str(error.value)
        assert message.startswith(f"init_backbone={tmp_path / name}: ")
        assert "\n" not in message and same(values(run), before)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "would keep random weights; give backbone_weights"),
        (
            {"backbone_weights": "vgg.h5", "normalization": "batch"},
            "statistics .* backbone_weights holds none",
        ),
    ],
)
def test_fixed_blocks_need_weights_to_keep(tmp_path, given, said):
    run = start(tmp_path / "run")
    given = Start(freeze_blocks=2, **given)
    with pytest.raises(UserError, match=f"freeze_blocks=2: .*{said}"):
        restore(run, "", "", given)
    # A run that has begun has them.
    run.save_last(Progress(4))
    assert restore(run, "", "", given).step == 4


def test_what_a_run_starts_from_is_kept_in_its_config(tmp_path):
    write_run(tmp_path, TINY)
    record_start(tmp_path, "0f" * 32)
    saved = RunConfig.load(tmp_path)
    assert saved.start.backbone_digest == "0f" * 32
    # It is no setting: the same flags resume the run.
    assert saved == TINY and not saved.differences(TINY)
    assert saved.replace(gamma=5.0).start == saved.start
