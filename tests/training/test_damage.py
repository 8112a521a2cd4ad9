"""Damaged checkpoints: detected before anything is set, passed over."""

import hashlib
import json
import logging
import shutil

import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.config import RunConfig, TrainConfig
from mgtl_tf.training import checkpoint
from mgtl_tf.training.checkpoint import Checkpoints, Progress, load_model
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.utils.errors import UserError

TINY = mgtl_tf.ModelConfig(
    image_size=(8, 16),
    width_multiplier=1 / 64,
    poolings=1,
    channels=4,
    heads=2,
    recurrent_steps=0,
    backbone_normalization="batch",
)
NEIGHBOURS = np.arange(6).reshape(2, 3)
FILES = ["ckpt-2.index", "ckpt-2.data-00000-of-00001", "ckpt-2.json"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Steps 1 and 2 of a run whose variables are all 1, then all 2."""
    keras.utils.set_random_seed(0)
    model = mgtl_tf.build_model(TINY)
    optimizer = make_optimizer(TrainConfig(), model.trainable_variables)
    run_dir = tmp_path_factory.mktemp("saved") / "run"
    checkpoints = Checkpoints(run_dir, model, optimizer)
    for step in (1, 2):
        _fill(checkpoints, step)
        checkpoints.save_last(Progress(step, neighbours=NEIGHBOURS))
    checkpoints.save_best(Progress(2))
    (run_dir / "config.json").write_text(RunConfig(model=TINY).to_json())
    return checkpoints


@pytest.fixture
def run(saved, tmp_path):
    """A copy of that run; its model and optimizer hold 7 everywhere."""
    shutil.copytree(saved.folder.parent, tmp_path / "run")
    _fill(saved, 7)
    return Checkpoints(tmp_path / "run", saved.model, saved.optimizer)


def _fill(checkpoints, value):
    for variable in (*checkpoints.model.variables, *_adam(checkpoints)):
        variable.assign(np.full(variable.shape, value))


def _adam(checkpoints):
    return checkpoints.optimizer.variables


def _held(checkpoints):
    variables = (*checkpoints.model.variables, *_adam(checkpoints))
    return {float(x) for v in variables for x in np.unique(np.asarray(v))}


def _numbers(checkpoints):
    folder = checkpoints.folder / "last"
    return sorted({p.stem for p in folder.glob("ckpt-*")})


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-7])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _empty(path):
    path.write_bytes(b"")


def _lose(path):
    path.unlink()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [_truncate, _flip, _empty, _lose])
def test_a_damaged_newest_never_stops_a_resume(run, name, damage, caplog):
    damage(run.folder / "last" / name)
    with caplog.at_level(logging.WARNING):
        progress = run.restore_last()
    assert progress.step == 1
    np.testing.assert_array_equal(progress.neighbours, NEIGHBOURS)
    assert _held(run) == {1.0}
    (message,) = [r.getMessage() for r in caplog.records]
    assert f"last/{name}: " in message and "\n" not in message
    assert message.endswith("going back to step 1")
    # It stays until a newer one is whole.
    assert _numbers(run) == ["ckpt-1", "ckpt-2"]
    run.save_last(Progress(5))
    assert _numbers(run) == ["ckpt-1", "ckpt-3"]


@pytest.mark.parametrize(
    "content", [b"{}", b"[]", b"null", b'{"files": 1}', b"\xff\xfe"]
)
def test_a_manifest_of_another_shape_is_damage(run, content):
    (run.folder / "last/ckpt-2.json").write_bytes(content)
    assert run.restore_last().step == 1


def test_every_character_of_the_manifest_counts(run):
    path = run.folder / "last/ckpt-2.json"
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        changed = bytearray(data)
        changed[position] ^= 0x10
        path.write_bytes(changed)
        assert run.restore_last().step == 1 or data[position] in b" \n"
    path.write_bytes(data)
    assert run.restore_last().step == 2
    assert _held(run) == {2.0}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"model_checkpoint"])
def test_tensorflows_own_list_may_be_damaged(run, content):
    (run.folder / "last/checkpoint").write_bytes(content)
    assert run.restore_last().step == 2
    run.save_last(Progress(3))
    assert _numbers(run) == ["ckpt-2", "ckpt-3"]


def test_all_damaged_is_one_line_and_sets_nothing(run):
    _flip(run.folder / "last/ckpt-2.index")
    _truncate(run.folder / "last/ckpt-1.data-00000-of-00001")
    with pytest.raises(UserError, match="no checkpoint is whole") as error:
        run.restore_last()
    message = str(error.value)
    assert "ckpt-2.index: its content changed" in message
    assert "ckpt-1.data-00000-of-00001: has" in message
    assert "\n" not in message
    assert _held(run) == {7.0}


def test_a_failed_write_removes_nothing(run, monkeypatch):
    before = _numbers(run)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write_manifest", full)
    with pytest.raises(UserError, match="No space left on device") as error:
        run.save_last(Progress(3))
    assert "last/ckpt-3" in str(error.value)
    assert _numbers(run) == before
    assert run.restore_last().step == 2


def test_no_other_model_is_taken_for_a_damaged_best(run):
    run_dir = run.folder.parent
    _flip(run.folder / "best/ckpt-1.data-00000-of-00001")
    with pytest.raises(UserError, match="--checkpoint=last") as error:
        load_model(run_dir, "best")
    assert "best/ckpt-1.data-00000-of-00001: its content" in str(error.value)
    _, model = load_model(run_dir, "last")
    assert {float(np.max(v)) for v in model.weights} == {2.0}
    _lose(run.folder / "last/ckpt-2.json")
    with pytest.raises(UserError, match=r"ckpt-2\.json"):
        load_model(run_dir, "last")


def test_the_checksums_are_those_of_sha256sum(run):
    folder = run.folder / "last"
    listed = json.loads((folder / "ckpt-2.json").read_text())["files"]
    assert sorted(listed) == sorted(FILES[:2])
    for name, written in listed.items():
        data = (folder / name).read_bytes()
        assert written["bytes"] == len(data)
        assert written["sha256"] == hashlib.sha256(data).hexdigest()


def test_another_config_is_refused_before_a_model_is_built(run):
    """Of the same shapes, it would answer otherwise; of others, be huge."""
    run_dir = run.folder.parent
    config = RunConfig(model=TINY)
    run.save_best(Progress(5, network=config.network))
    load_model(run_dir)
    for change in ({"channels": 2**20, "heads": 1}, {"ground_crop": (0.1, 1)}):
        other = config.replace(**change)
        (run_dir / "config.json").write_text(other.to_json())
        with pytest.raises(UserError, match="put back the config.json"):
            load_model(run_dir)
