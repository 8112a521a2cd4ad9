"""Damaged checkpoints: seen before anything is set, passed over, told."""

import hashlib
import json
import logging
import shutil

import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.config import RunConfig, TrainConfig
from mgtl_tf.training.checkpoint import Checkpoints, Progress, load_model
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.sealed import DamagedError, require_whole
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
FILES = [
    "weights.npz",
    "optimizer.npz",
    "state.json",
    "neighbours.npy",
    "checksums.json",
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Steps 1 and 2 of a run whose variables are all 1, then all 2."""
    keras.utils.set_random_seed(0)
    model = mgtl_tf.build_model(TINY)
    optimizer = make_optimizer(TrainConfig())
    optimizer.build(model.trainable_variables)
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


def _names(checkpoints):
    return sorted(p.name for p in checkpoints.folder.iterdir())


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
    newest = run.folder / "last-00000002"
    damage(newest / name)
    with caplog.at_level(logging.WARNING):
        progress = run.restore_last()
    assert progress.step == 1
    assert _held(run) == {1.0}
    (said,) = [r.getMessage() for r in caplog.records]
    assert "last-00000002/" in said and "\n" not in said
    assert said.endswith("going back to step 1")
    # It stays until a newer one is whole.
    assert newest.is_dir()


@pytest.mark.parametrize(
    "content", [b"{}", b"[]", b"null", b'{"weights.npz": 1}', b"\xff\xfe"]
)
def test_a_list_of_another_shape_is_damage(run, content):
    (run.folder / "last-00000002/checksums.json").write_bytes(content)
    assert run.restore_last().step == 1


def test_every_byte_of_a_small_file_counts(run):
    path = run.folder / "last-00000002/state.json"
    data = path.read_bytes()
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(DamagedError, match="state.json: its content"):
            require_whole(path.parent, ["state.json"])
    path.write_bytes(data)
    assert run.restore_last().step == 2
    assert _held(run) == {2.0}


def test_all_damaged_is_one_line_and_sets_nothing(run):
    _flip(run.folder / "last-00000002/weights.npz")
    _truncate(run.folder / "last-00000001/optimizer.npz")
    with pytest.raises(UserError, match="no checkpoint is whole") as error:
        run.restore_last()
    said = str(error.value)
    assert "last-00000002/weights.npz: its content changed" in said
    assert "last-00000001/optimizer.npz: has" in said
    assert "\n" not in said
    assert _held(run) == {7.0}


def test_damaged_ones_do_not_count_among_the_kept(run, caplog):
    _flip(run.folder / "last-00000002/weights.npz")
    run.save_last(Progress(3))
    kept = ["best-00000002", "last-00000001", "last-00000003"]
    assert _names(run) == kept
    assert "last-00000002/weights.npz: its content" in caplog.text


def test_steps_that_are_taken_again_replace_those_before(run):
    run.save_last(Progress(9))
    _lose(run.folder / "last-00000009/checksums.json")
    assert run.restore_last().step == 2
    run.save_last(Progress(5))
    assert _names(run)[1:] == ["last-00000002", "last-00000005"]


def test_a_failed_write_removes_nothing(run, monkeypatch):
    _flip(run.folder / "last-00000002/weights.npz")
    before = _names(run)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(UserError, match="No space left on device"):
        run.save_last(Progress(3))
    assert _names(run) == before


def test_no_other_model_is_taken_for_a_damaged_best(run):
    run_dir = run.folder.parent
    _flip(run.folder / "best-00000002/weights.npz")
    with pytest.raises(UserError, match="--checkpoint=last") as error:
        load_model(run_dir, "best")
    assert "best-00000002/weights.npz: its content changed" in str(error.value)
    _, model = load_model(run_dir, "last")
    assert {float(np.max(v)) for v in model.weights} == {2.0}
    _lose(run.folder / "last-00000002/state.json")
    with pytest.raises(UserError, match="state.json"):
        load_model(run_dir, "last")


def test_the_list_is_the_files_own_checksums(run):
    """As `sha256sum` would say."""
    folder = run.folder / "last-00000001"
    listed = json.loads((folder / "checksums.json").read_text())
    assert sorted(listed) == sorted(set(FILES) - {"checksums.json"})
    for name, written in listed.items():
        data = (folder / name).read_bytes()
        assert written["bytes"] == len(data)
        assert written["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_config_that_was_changed_since_is_told_before_building(run):
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
