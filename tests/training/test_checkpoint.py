"""Checkpoints: finished or absent, restored exactly, refused when foreign."""

import logging
import os
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import mgtl_tf
from mgtl_tf.config import RunConfig, TrainConfig
from mgtl_tf.training import checkpoint, checkpoint_files
from mgtl_tf.training.checkpoint import Checkpoints, load_model
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.progress import Progress
from mgtl_tf.utils.errors import UserError
from tests.small_disk import fill
from tests.tiny_runs import PROBE

CONFIG = PROBE.replace(backbone_normalization="batch")
NEIGHBOURS = np.arange(6).reshape(2, 3)
FILES = ["ckpt-2.index", "ckpt-2.data-00000-of-00001"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Steps 1 and 2 of a run whose variables are all 1, then all 2."""
    keras.utils.set_random_seed(0)
    model = mgtl_tf.build_model(CONFIG.model)
    train = TrainConfig(ema_momentum=0.9)
    optimizer = make_optimizer(train, model.trainable_variables)
    run_dir = tmp_path_factory.mktemp("saved") / "run"
    checkpoints = Checkpoints(run_dir, model, optimizer)
    for step in (1, 2):
        _fill(checkpoints, step)
        progress = Progress(step, 2, 1, 0.5, 12.5, "ab", NEIGHBOURS, 1, "")
        checkpoints.save_last(progress)
    checkpoints.save_best(Progress(2))
    (run_dir / "config.json").write_text(CONFIG.to_json())
    return checkpoints


@pytest.fixture
def run(saved, tmp_path):
    """A copy of that run; its model and optimizer hold 7 everywhere."""
    shutil.copytree(saved.folder.parent, tmp_path / "run")
    _fill(saved, 7)
    return Checkpoints(tmp_path / "run", saved.model, saved.optimizer)


def _variables(checkpoints):
    return *checkpoints.model.variables, *checkpoints.optimizer.variables


def _fill(checkpoints, value):
    for variable in _variables(checkpoints):
        variable.assign(np.full(variable.shape, value))


def _held(checkpoints):
    arrays = map(np.asarray, _variables(checkpoints))
    return {float(x) for array in arrays for x in np.unique(array)}


def _names(checkpoints, kind="last"):
    folder = checkpoints.folder / kind
    return sorted({p.stem for p in folder.glob("ckpt-*")})


def _listed(checkpoints, kind="last"):
    """As TensorFlow's manager lists them, oldest first."""
    state = tf.train.get_checkpoint_state(str(checkpoints.folder / kind))
    return [p.rpartition("/")[2] for p in state.all_model_checkpoint_paths]


def test_restores_every_variable_and_the_progress(run):
    assert len(run.optimizer.variables) > 2 + 3 * 4  # with averages
    restored = run.restore_last()
    np.testing.assert_array_equal(restored.neighbours, NEIGHBOURS)
    restored.neighbours = None
    assert restored == Progress(2, 2, 1, 0.5, 12.5, "ab", None, 1, "")
    assert _held(run) == {2.0}
    run.save_last(Progress(3))
    assert run.restore_last() == Progress(3)


def test_nothing_to_restore(run, tmp_path):
    empty = Checkpoints(tmp_path / "new", run.model, run.optimizer)
    assert empty.restore_last() is None
    (tmp_path / "config.json").write_text(CONFIG.to_json())
    with pytest.raises(UserError, match="holds no checkpoint yet"):
        load_model(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(UserError, match="config.json"):
        load_model(tmp_path)


def test_tensorflow_reads_them_by_the_variables_paths(run):
    path = tf.train.latest_checkpoint(str(run.folder / "last"))
    reader = tf.train.load_checkpoint(path)
    assert reader.has_tensor("optimizer/iteration/.ATTRIBUTES/VARIABLE_VALUE")
    assert reader.get_tensor("progress/step/.ATTRIBUTES/VARIABLE_VALUE") == 2
    names = reader.get_variable_to_shape_map()
    in_model = [n for n in names if n.startswith("model/")]
    assert len(in_model) == len(run.model.variables)
    assert any(".Skernel/" in name for name in in_model)


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_are_kept(run, keep):
    """Ordered by number, however many there are of one step."""
    run.keep = keep
    for _ in range(9):
        run.save_last(Progress(4))
    run.save_best(Progress(3))
    expected = [f"ckpt-{n}" for n in (9, 10, 11)][-keep:]
    assert _listed(run) == expected
    assert _names(run) == sorted(expected)
    assert _names(run, "best") == _listed(run, "best") == ["ckpt-2"]


def test_unfinished_ones_are_no_checkpoints(run, caplog):
    folder = run.folder / "last"
    (folder / "ckpt-3_temp").mkdir()
    (folder / "ckpt-3.index").write_bytes(b"part")
    assert run.restore_last().step == 2
    (folder / "checkpoint").unlink()
    for name in ("ckpt-1", "ckpt-2"):
        (folder / f"{name}.index").unlink()
    # The very first one's writing was killed: nothing is there to restore.
    assert run.restore_last() is None
    assert not caplog.records
    run.save_last(Progress(4))
    assert _names(run) == _listed(run) == ["ckpt-4"]


@pytest.mark.parametrize("keep", [1, 2])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (checkpoint_files, "atomic_write"),
        (checkpoint_files, "sync"),
        (checkpoint, "remove_others"),
        (tf.train.CheckpointManager, "_record_state"),
        (tf.train.CheckpointManager, "_sweep"),
    ],
)
def test_a_kill_at_any_moment_leaves_a_last(
    run, monkeypatch, keep, owner, name
):
    def killed(*_):
        raise KeyboardInterrupt

    run.keep = keep
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, killed)
        with pytest.raises(KeyboardInterrupt):
            run.save_last(Progress(3))
    assert run.restore_last().step in (2, 3)
    run.save_last(Progress(4))
    assert run.restore_last().step == 4
    assert len(_names(run)) == len(_listed(run)) == keep


def test_any_folder_name(run, tmp_path):
    folder = tmp_path / "r[1] *?\xfc"
    run.folder.parent.rename(folder)
    moved = Checkpoints(folder, run.model, run.optimizer, keep=1)
    moved.save_last(Progress(3))
    names = sorted(p.name for p in (moved.folder / "last").iterdir())
    assert names == [
        "checkpoint",
        "ckpt-3.data-00000-of-00001",
        "ckpt-3.index",
    ]
    assert moved.restore_last().step == 3
    load_model(folder)


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


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [_truncate, _flip, _empty, _lose, _pipe])
def test_a_damaged_newest_never_stops_a_resume(run, name, damage, caplog):
    damage(run.folder / "last" / name)
    with caplog.at_level(logging.WARNING):
        progress = run.restore_last()
    assert progress.step == 1
    np.testing.assert_array_equal(progress.neighbours, NEIGHBOURS)
    assert _held(run) == {1.0}
    (message,) = [r.getMessage() for r in caplog.records]
    assert "last/ckpt-2: cannot be read" in message and "\n" not in message
    assert message.endswith("resuming from step 1 instead")
    # It stays until a newer one is written.
    assert _names(run) == ["ckpt-1", "ckpt-2"]
    run.save_last(Progress(5))
    assert _names(run) == _listed(run) == ["ckpt-1", "ckpt-3"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"model_checkpoint"])
def test_tensorflows_own_list_may_be_damaged(run, content):
    (run.folder / "last/checkpoint").write_bytes(content)
    assert run.restore_last().step == 2
    run.save_last(Progress(3))
    assert _names(run) == ["ckpt-2", "ckpt-3"]


def test_a_pipe_in_place_of_the_list_is_not_waited_for(run):
    _pipe(run.folder / "last/checkpoint")
    assert run.restore_last().step == 2


def test_all_damaged_is_one_line_and_sets_nothing(run):
    _flip(run.folder / "last/ckpt-2.index")
    _truncate(run.folder / "last/ckpt-1.data-00000-of-00001")
    with pytest.raises(UserError, match="no checkpoint is readable") as error:
        run.restore_last()
    assert re.search("ckpt-2: cannot.*ckpt-1: cannot", str(error.value))
    assert "\n" not in str(error.value)
    assert _held(run) == {7.0}


def test_no_other_model_is_taken_for_a_damaged_best(run):
    run_dir = run.folder.parent
    _flip(run.folder / "best/ckpt-1.data-00000-of-00001")
    with pytest.raises(UserError, match="best/ckpt-1: .*checkpoint=last"):
        load_model(run_dir, "best")
    config, model = load_model(run_dir, "last")
    assert config == CONFIG
    assert {float(np.max(v)) for v in model.weights} == {2.0}
    _lose(run.folder / "last/ckpt-2.index")
    with pytest.raises(UserError, match="last/ckpt-2: cannot be read"):
        load_model(run_dir, "last")


def test_what_differs_is_named_with_its_shape(run):
    """And the config is compared before a model is built: it may be huge."""
    wide = CONFIG.replace(width_multiplier=1 / 32).model
    wider = mgtl_tf.build_model(wide)
    other = Checkpoints(run.folder.parent, wider, run.optimizer)
    with pytest.raises(UserError, match="another config") as error:
        other.restore_last()
    said = str(error.value)
    assert re.search(r"only in the model: model/\S+ \([\d, ]*8", said)
    assert re.search(r"only in the file: model/\S+ \([\d, ]*4", said)
    assert said.count("model/") <= 6 and "\n" not in said
    run.save_best(Progress(5, network=CONFIG.network))
    for change in ({"channels": 2**20, "heads": 1}, {"ground_crop": (0.1, 1)}):
        config = CONFIG.replace(**change)
        (run.folder.parent / "config.json").write_text(config.to_json())
        with pytest.raises(UserError, match="put back the config.json"):
            load_model(run.folder.parent)
    (run.folder.parent / "config.json").write_text(RunConfig().to_json())
    with pytest.raises(UserError, match="put back the config.json"):
        load_model(run.folder.parent)


@pytest.mark.parametrize("leave", [0, 8_192, 24_576])
def test_a_full_disk_keeps_the_checkpoint_before(run, disk, leave):
    """Nothing fits, a part of the values (24 KB), all values but no index."""
    folder, mount = disk
    full = Checkpoints(folder / "run", run.model, run.optimizer)
    full.save_last(Progress(1))
    filler = fill(folder, leave)
    with pytest.raises(UserError, match="No space left on device") as error:
        full.save_last(Progress(2))
    assert "last/ckpt-2" in str(error.value) and "\n" not in str(error.value)
    assert _names(full) == ["ckpt-1"]
    assert full.restore_last().step == 1
    filler.unlink()
    full.save_last(Progress(2))
    assert full.restore_last().step == 2
    if not leave:
        assert mount("remount,ro")
        with pytest.raises(UserError, match="ckpt-3.*Read-only file system"):
            full.save_last(Progress(3))
        assert full.restore_last().step == 2


def test_workers_that_are_not_the_chief_only_read(run):
    other = Checkpoints(
        run.folder.parent, run.model, run.optimizer, writes=False
    )
    assert other.restore_last().step == 2
    other.save_last(Progress(3))
    other.save_best(Progress(3))
    assert _names(run) == ["ckpt-1", "ckpt-2"]
